/**
 * The cards module on a real Postgres and a real ledger, as processes that die wherever a test says: at any of the calls by
 * which the module reaches the world, before it or after it. What is dead does nothing any more.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  type AccountId,
  type IdempotencyKey,
  type MerchantId,
  merchants,
  type ProgramId,
  parseSigningKeys,
  type RequestId,
  type RouteId,
  uuidV7,
} from '@local-plus/contracts';
import { Registry } from 'prom-client';
import { createLedger, type Ledger } from '../../../ledger/index.ts';
import type { CoreAnswer, CoreRequest, Handler } from '../../../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../../../platform/postgres/index.ts';
import { createMetrics, type Metrics } from '../../../platform/telemetry/index.ts';
import { startDatabase, type TestDatabase } from '../../../test/database.ts';
import { quiet } from '../../../test/log.ts';
import type { ItemFacts, Take } from '../../catalog/index.ts';
import { createCodesModule } from '../../codes/index.ts';
import { type CardsModule, createCardsModule } from '../index.ts';
import { cardSweepLimits } from '../sweeps.ts';

export type Cut = 'before' | 'after';

/** At which call of its life a process dies. */
export interface Fate {
  readonly call: number;
  readonly cut: Cut;
}

export interface Process {
  readonly cards: CardsModule;
  /** Whether it has met its fate. */
  readonly isDead: () => boolean;
  call(id: RouteId, params: readonly string[], body: object, key: string): Promise<CoreAnswer>;
}

/** How long a call may take, on a machine that stands still for a while, too. */
export const requestMs = 60_000;

export const itemId = uuidV7<ItemFacts['itemId']>(1);

export class Rig {
  readonly merchantId = uuidV7<MerchantId>(Date.now());
  readonly programId = uuidV7<ProgramId>(Date.now());
  readonly database: TestDatabase;
  readonly ledger: Ledger;
  readonly #pool: Database;
  /** Keys that took from the stock; what is left of it. */
  readonly taken = new Set<string>();
  stock = 1_000;
  timeZone = 'UTC';
  /** Ahead of the clock. */
  aheadMs = 0;

  private constructor(database: TestDatabase) {
    this.database = database;
    this.#pool = database.pool({ connectionsMax: 4 });
    this.ledger = createLedger({
      database: { id: 1, url: database.url, pool: this.#pool },
      writerId: 1,
      accounts: { find: () => null },
      purchases: { rate: () => null },
      log: quiet,
      registry: new Registry(),
      committed: () => undefined,
      superseded: () => undefined,
    });
  }

  static async start(): Promise<Rig> {
    const rig = new Rig(await startDatabase());
    await rig.ledger.start();
    return rig;
  }

  async stop(): Promise<void> {
    await this.ledger.stop(1_000);
    await this.database.close();
  }

  /** What was there of cards; the ledger keeps its rows. */
  async forget(): Promise<void> {
    const { sql } = this.database;
    await sql`with a as (delete from giftcards), b as (delete from giftcard_activities), c as (delete from outbox)
      delete from giftcard_codes`;
  }

  nowMs = (): number => Date.now() + this.aheadMs;

  /** @param fate null: it lives */
  process(fate: Fate | null = null): Process {
    let calls = 0;
    let isDead = false;
    const through = async <Answer>(run: () => Promise<Answer>): Promise<Answer> => {
      const cut = fate !== null && ++calls === fate.call ? fate.cut : null;
      if (cut === 'before') isDead = true;
      if (isDead) throw killed();
      const answer = await run();
      if (cut === 'after') isDead = true;
      if (isDead) throw killed();
      return answer;
    };
    const cards = this.#module(through);
    const call: Process['call'] = async (id, params, body, key) => {
      const handler = cards.handlers[id] as Handler | undefined;
      assert.ok(handler);
      return handler(this.#request(id, params, body, key)) as Promise<CoreAnswer>;
    };
    return { cards, call, isDead: () => isDead };
  }

  #module(through: <Answer>(run: () => Promise<Answer>) => Promise<Answer>): CardsModule {
    const { ledger } = this;
    const database: Pick<Database, 'read' | 'write'> = {
      read: (statement, parameters) => through(() => this.#pool.read(statement, parameters)),
      write: (statement, parameters) => through(() => this.#pool.write(statement, parameters)),
    };
    const rules = { expiry: null, reversalPolicy: { type: 'refuse' }, holdExpiresInS: 60 } as const;
    const program = { programId: this.programId, merchantId: this.merchantId, unit: 'EUR', rules };
    const codes = createCodesModule({
      database,
      keys: codeKeys,
      cards: { read: async () => null },
      log: quiet,
      metrics,
    });
    const module: CardsModule = createCardsModule({
      database,
      programs: { find: (id) => (id === this.programId ? program : null) },
      ledger: {
        desk: {
          ...ledger.desk,
          post: (order) => through(() => ledger.desk.post(order)),
          transfer: (order) => through(() => ledger.desk.transfer(order)),
        },
        history: ledger.history,
        read: (accountId) => through(() => ledger.states.read(accountId)),
      },
      accounts: { find: (accountId: AccountId) => module.accounts.find(accountId) },
      catalog: {
        find: async (id) => (id === itemId ? item : null),
        take: (_id, _count, key) => through(() => this.#take(key)),
      },
      customers: { identities: async (_merchantId, id) => [id] },
      codes: codes.book,
      timeZone: async () => this.timeZone,
      nowMs: this.nowMs,
      log: quiet,
      metrics,
      sweepLimits: { ...cardSweepLimits, ageMs: 0, sweepMs: 20, pauseMsMax: 20, asideMsMax: 20 },
    });
    return module;
  }

  async #take(key: string): Promise<Take> {
    if (this.taken.has(key)) return { type: 'taken', replayed: true };
    if (this.stock === 0) return { type: 'refused', reason: 'out_of_stock' };
    this.stock--;
    this.taken.add(key);
    return { type: 'taken', replayed: false };
  }

  #request(id: RouteId, params: readonly string[], body: object, key: string): CoreRequest {
    return {
      routeId: id,
      params,
      query: '',
      queryValues: null,
      body: body as CoreRequest['body'],
      context: {
        merchantId: this.merchantId,
        subject: 'test',
        scopes: [...merchants.merchantScopes],
        clientIp: '127.0.0.1',
      } as unknown as CoreRequest['context'],
      idempotencyKey: key as IdempotencyKey,
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      deadlineMs: performance.now() + requestMs,
    } as CoreRequest;
  }
}

/** Nobody scrapes them, and names would be taken twice. */
const metrics: Metrics = { ...createMetrics(), gauge: () => undefined, counter: () => undefined };
const codeKeys = parseSigningKeys(`k1:${randomBytes(32).toString('base64url')}`);

const item: ItemFacts = {
  itemId,
  merchantId: null,
  kind: 'gift_card',
  status: 'published',
  currency: 'EUR',
  validityMonths: 12,
  denominations: [100],
  range: null,
};

function killed(): Error {
  return new DatabaseUnavailable('the process was killed', { connectionLost: false });
}
