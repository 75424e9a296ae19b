/** The codes of gift cards on a real Postgres, with cards that the test says are there; every statement is counted. */
import { randomBytes } from 'node:crypto';
import { type GiftcardId, type MerchantId, parseSigningKeys, type SigningKey, uuidV7 } from '@local-plus/contracts';
import type { Database } from '../../../platform/postgres/index.ts';
import { quiet, recorded } from '../../../test/log.ts';
import { Book } from '../book.ts';
import { type FailureLimits, Failures } from '../failures.ts';
import { codeHandlers, type LookUpEnd } from '../handler.ts';
import { codeLimits } from '../limits.ts';
import { Pepper } from '../pepper.ts';
import type { CodeRequest } from '../ports.ts';
import { SlowHash } from '../slow-hash.ts';
import { CodeStore } from '../store.ts';

export function newKey(keyId: string): SigningKey {
  return parseSigningKeys(`${keyId}:${randomBytes(32).toString('base64url')}`)[0];
}

export const newMerchant = (): MerchantId => uuidV7<MerchantId>(Date.now());
export const newCard = (): GiftcardId => uuidV7<GiftcardId>(Date.now());

/** What one call cost. */
export interface Work {
  readonly hmacs: number;
  readonly slowHashes: number;
  readonly statements: number;
  readonly cardReads: number;
}

export interface StageOptions {
  readonly keys?: readonly [SigningKey, ...SigningKey[]];
  readonly failures?: Partial<FailureLimits>;
  readonly slowHash?: SlowHash;
  /** Where log lines go. */
  readonly lines?: string[];
}

export class CodesStage {
  readonly pepper: Pepper;
  readonly slowHash: SlowHash;
  readonly book: Book;
  readonly store: CodeStore;
  readonly handlers;
  readonly ends: LookUpEnd[] = [];
  /** Cards that are there, and whose they are. */
  readonly cards = new Map<GiftcardId, MerchantId>();
  monotonicMs = 0;
  #statements = 0;
  #cardReads = 0;

  constructor(database: Pick<Database, 'read' | 'write'>, { keys, failures = {}, lines, slowHash }: StageOptions = {}) {
    const counted: Pick<Database, 'read' | 'write'> = {
      read: (statement, parameters) => {
        this.#statements++;
        return database.read(statement, parameters);
      },
      write: (statement, parameters) => {
        this.#statements++;
        return database.write(statement, parameters);
      },
    };
    const log = lines === undefined ? quiet : recorded(lines).log;
    this.slowHash = slowHash ?? new SlowHash();
    this.pepper = new Pepper(keys ?? [newKey('k1')]);
    this.store = new CodeStore(counted);
    this.book = new Book({ store: this.store, pepper: this.pepper, slowHash: this.slowHash, log });
    this.handlers = codeHandlers({
      book: this.book,
      store: this.store,
      cards: {
        read: async (cardId, merchantId) => {
          this.#cardReads++;
          return this.cards.get(cardId) === merchantId ? { state: 'active', unit: 'EUR', available: 2_500 } : null;
        },
      },
      failures: new Failures(() => this.monotonicMs, { ...codeLimits, ...failures }),
      nowMs: Date.now,
      count: (end) => this.ends.push(end),
    });
  }

  /** A card that is there, and its code. */
  async card(merchantId: MerchantId, pin = false): Promise<{ cardId: GiftcardId; code: string; pin: string | null }> {
    const cardId = newCard();
    this.cards.set(cardId, merchantId);
    const { code, pin: drawn } = await this.assign({ cardId, merchantId, pin });
    return { cardId, code, pin: drawn };
  }

  async assign(request: CodeRequest): Promise<{ code: string; lastFour: string; pin: string | null }> {
    const [assigned] = await this.book.assign([request]);
    if (assigned === undefined || assigned.code === null) throw new Error('the card had a code already');
    return { ...assigned, code: assigned.code };
  }

  async workOf(call: () => Promise<unknown>): Promise<Work> {
    const before = this.#work();
    await call();
    const after = this.#work();
    return {
      hmacs: after.hmacs - before.hmacs,
      slowHashes: after.slowHashes - before.slowHashes,
      statements: after.statements - before.statements,
      cardReads: after.cardReads - before.cardReads,
    };
  }

  #work(): Work {
    const [hmacs, slowHashes] = [this.pepper.computed, this.slowHash.computed];
    return { hmacs, slowHashes, statements: this.#statements, cardReads: this.#cardReads };
  }
}
