/**
 * Bulk issue on a real Postgres, with real codes, and cards in a table of the test's own; processes that die in the middle, and
 * a merchant that reads what it gets.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type GiftcardId, giftcardBatches, type MerchantId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import type postgres from 'postgres';
import { decryptLine } from '../../../../deploy/tools/jwe.ts';
import { type Database, DatabaseUnavailable } from '../../../platform/postgres/index.ts';
import type { Log } from '../../../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../../../platform/time/index.ts';
import { quiet } from '../../../test/log.ts';
import { CodesStage, newKey } from '../../codes/test/stage.ts';
import { batchHandlers } from '../handler.ts';
import { type BatchLimits, batchLimits } from '../limits.ts';
import type { CardIssuer } from '../ports.ts';
import { BatchStore } from '../store.ts';
import { BatchWorker } from '../worker.ts';

type Connection = Pick<Database, 'read' | 'write'>;

/** Impatient where nothing is waited for; no turn and no lease ends because the machine is slow. */
export const testLimits: BatchLimits = {
  ...batchLimits,
  restShare: 0,
  turnMs: 600_000,
  leaseMs: 600_000,
  work: { ...batchLimits.work, sweepMs: 20, asideMsMax: 40, pauseMsMax: 40 },
};

/** What keeps count of issued cards, as the cards module would: each once, by its id. */
export async function createTestCards(sql: postgres.Sql): Promise<void> {
  await sql`create table test_cards (card_id uuid primary key, batch_id uuid not null, merchant_id uuid not null,
    last_four text not null, amount bigint not null)`;
}

export function issuerOn(database: Connection): CardIssuer {
  const statement = `insert into test_cards select (c->>'cardId')::uuid, $2::uuid, $3::uuid, c->>'lastFour', $4::bigint
    from json_array_elements($1::text::json) as c on conflict do nothing`;
  return {
    async issueMany({ batchId, merchantId, amount }, cards) {
      await database.write(statement, [JSON.stringify(cards), batchId, merchantId, amount]);
    },
  };
}

/** A process's connection. Dead, it says nothing any more: what was sent may have happened, and nobody hears of it. */
export class Mortal implements Connection {
  readonly #database: Connection;
  /** Writes until the process dies; whether the last one still happens. */
  #writesLeft: number;
  readonly #isLastDone: boolean;
  readonly died = Promise.withResolvers<void>();

  constructor(database: Connection, writesLeft = Number.POSITIVE_INFINITY, isLastDone = false) {
    this.#database = database;
    this.#writesLeft = writesLeft;
    this.#isLastDone = isLastDone;
  }

  get isDead(): boolean {
    return this.#writesLeft <= 0;
  }

  async read<Row>(...call: Parameters<Database['read']>): Promise<readonly Row[]> {
    if (this.#writesLeft <= 0) return this.#silence();
    return this.#database.read<Row>(...call);
  }

  async write<Row>(...call: Parameters<Database['write']>): Promise<readonly Row[]> {
    if (this.#writesLeft <= 0) return this.#silence();
    this.#writesLeft--;
    if (this.#writesLeft > 0) return this.#database.write<Row>(...call);
    if (this.#isLastDone) await this.#database.write<Row>(...call);
    this.died.resolve();
    return this.#silence();
  }

  /** What a dead process would not even do: so that the test's own comes to an end. */
  #silence(): Promise<never> {
    return Promise.reject(new DatabaseUnavailable('this process is dead', { connectionLost: true }));
  }
}

export interface WorkerOptions {
  readonly limits?: Partial<BatchLimits>;
  readonly issuer?: CardIssuer;
  readonly log?: Log;
}

export class BatchesStage {
  readonly database: Connection;
  readonly keys = [newKey('k1')] as const;
  readonly codes: CodesStage;
  readonly handlers;
  readonly programs = new Map<ProgramId, MerchantId>();
  readonly offers = new Map<string, boolean>();
  /** Whether the process has a key for codes. */
  hasCodes = true;
  /** Ahead of the clock. */
  aheadMs = 0;
  readonly privateKey: KeyObject;
  readonly publicKey: giftcardBatches.PublicKey;

  constructor(database: Connection) {
    this.database = database;
    this.codes = new CodesStage(database, { keys: this.keys });
    const stage = this;
    this.handlers = batchHandlers({
      store: new BatchStore(database),
      programs: {
        find: (programId) => {
          const merchantId = this.programs.get(programId);
          return merchantId === undefined ? null : { merchantId, unit: 'EUR' };
        },
      },
      catalog: { offers: async (itemId) => this.offers.get(itemId) ?? null },
      get hasCodes() {
        return stage.hasCodes;
      },
      nowMs: () => Date.now() + this.aheadMs,
      limits: testLimits,
    });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.publicKey = giftcardBatches.publicKey.parse(publicKey.export({ format: 'jwk' }));
  }

  program(merchantId: MerchantId): ProgramId {
    const programId = uuidV7<ProgramId>(Date.now());
    this.programs.set(programId, merchantId);
    return programId;
  }

  worker(database: Connection = this.database, { limits = {}, issuer, log }: WorkerOptions = {}): BatchWorker {
    const { book } = new CodesStage(database, { keys: this.keys });
    return new BatchWorker({
      store: new BatchStore(database),
      codes: book,
      cards: issuer ?? issuerOn(database),
      clock: systemClock,
      timer: systemTimer,
      log: log ?? quiet,
      limits: { ...testLimits, ...limits },
    });
  }

  /** What the merchant reads out of its file. */
  cardsOf(file: string): giftcardBatches.FileCard[] {
    const lines = file.split('\n').filter((line) => line !== '');
    return lines.map((line) => giftcardBatches.fileCard.parse(JSON.parse(decryptLine(line, this.privateKey))));
  }

  /** Whether a code, and its PIN, finds the card it is said to be of. */
  async finds(merchantId: MerchantId, card: giftcardBatches.FileCard): Promise<boolean> {
    const found = await this.codes.book.find(merchantId, card.code, card.pin);
    return found.type === 'found' && found.cardId === (card.giftcard_id as GiftcardId);
  }
}

/** As if the time of a job's lease were over, whoever has it. */
export async function leasePasses(sql: postgres.Sql, id: string): Promise<void> {
  await sql`update giftcard_batches set lease_until = now() - interval '1 second'
    where id = ${id} and lease_until is not null`;
}
