/**
 * The ledger for lines of a bulk request: each is the single request with its key, so that the one is a replay of the
 * other. Several lines can be one request of the runtime; what is known of their keys is looked up here.
 */
import {
  type AccountRequest,
  type LookUps,
  type Outcome,
  type Part,
  type StoredOutcome,
  StoreFailure,
} from '@local-plus/actors';
import type { bulk, IdempotencyKey } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { type CoreRequest, ProblemError } from '../platform/http/index.ts';
import type { AccountRuntime } from './account-runtime.ts';
import type { LedgerDatabase, LedgerDatabases } from './databases.ts';
import type { PostgresLedgerStore } from './store.ts';
import { factsOf, failures } from './submission.ts';
import { type AccountDirectory, type AccountTerms, termsOf } from './terms.ts';
import { burn, earn } from './wallets-handler.ts';
import { refusalProblem, transactionJson } from './wire.ts';

export interface LinePorts {
  readonly runtime: Pick<AccountRuntime, 'post'>;
  readonly accounts: AccountDirectory;
  readonly databases: Pick<LedgerDatabases, 'of'>;
  /** Of its own: a store answers one look-up at a time. */
  readonly storeOf: (database: LedgerDatabase) => LookUpStore;
}

type LookUpStore = Pick<PostgresLedgerStore, 'lookUp' | 'reset'>;
type Stored = StoredOutcome | null;

type Keys = LookUps['keys'];
type Context = Pick<CoreRequest, 'context' | 'requestId' | 'traceparent'>;

/** Groups whose keys one statement looks up, at most a hundred keys each; and who wait for the next one. */
const GROUPS_MAX = 10;
const WAITING_MAX = 8_192;

const movements = { earn, burn } as const;

export interface LedgerLines {
  partOf(line: bulk.BulkLine, request: Context): LinePart | Promise<LinePart>;
  post(request: AccountRequest, answer: (outcome: Outcome) => void): void;
  stored(keys: Keys): Promise<readonly Stored[]>;
  readonly transactionJson: typeof transactionJson;
  readonly refusalProblem: typeof refusalProblem;
  readonly failures: typeof failures;
  /** Gives the connection up. */
  close(): Promise<void>;
}

interface LinePart {
  readonly part: Part;
  readonly unit: string;
}

export function ledgerLines({ runtime, accounts, databases, storeOf }: LinePorts): LedgerLines {
  const lookUps = new LookUpsByDatabase(databases, storeOf);
  return {
    partOf(line, request) {
      const found = termsOf(accounts, request, line.wallet_id);
      return found instanceof Promise
        ? found.then((terms) => partOf(terms, line, request))
        : partOf(found, line, request);
    },
    post: (request, answer) => runtime.post(request, answer),
    stored: (keys) => lookUps.stored(keys),
    transactionJson,
    refusalProblem,
    failures,
    close: () => lookUps.close(),
  };
}

/** What is known of keys; the groups of a moment share a statement, of each database that has some of the keys. */
class LookUpsByDatabase {
  readonly #databases: LinePorts['databases'];
  readonly #storeOf: LinePorts['storeOf'];
  readonly #open = new Map<number, { store: LookUpStore; batcher: Batcher<Keys, readonly Stored[]> }>();

  constructor(databases: LinePorts['databases'], storeOf: LinePorts['storeOf']) {
    this.#databases = databases;
    this.#storeOf = storeOf;
  }

  async stored(keys: Keys): Promise<readonly Stored[]> {
    const places = new Map<LedgerDatabase, number[]>();
    for (const [place, { accountId }] of keys.entries()) {
      const database = this.#databases.of(accountId);
      const known = places.get(database);
      if (known) known.push(place);
      else places.set(database, [place]);
    }
    const all: Stored[] = keys.map(() => null);
    await Promise.all(
      [...places].map(async ([database, asked]) => {
        const found = await this.#batcherOf(database).submit(asked.map((place) => keys[place] as Keys[number]));
        for (const [index, place] of asked.entries()) all[place] = found[index] ?? null;
      }),
    );
    return all;
  }

  async close(): Promise<void> {
    for (const { store } of this.#open.values()) await store.reset('reads');
  }

  #batcherOf(database: LedgerDatabase): Batcher<Keys, readonly Stored[]> {
    const known = this.#open.get(database.id);
    if (known !== undefined) return known.batcher;
    const store = this.#storeOf(database);
    const batcher = new Batcher<Keys, readonly Stored[]>({
      batchMax: GROUPS_MAX,
      waitingMax: WAITING_MAX,
      run: (questions) => lookUp(store, questions),
      concernsAll: (error) => error instanceof ProblemError,
      refusal: () => new ProblemError('overloaded'),
    });
    this.#open.set(database.id, { store, batcher });
    return batcher;
  }
}

function partOf(terms: AccountTerms, line: bulk.BulkLine, { requestId, traceparent }: Context): LinePart {
  const { kind, idempotency_key } = line;
  const movement = movements[kind](terms, line);
  const idempotencyKey = idempotency_key as IdempotencyKey;
  const facts = factsOf({ idempotencyKey, requestId, traceparent }, movement);
  return { part: { facts, command: movement.command }, unit: terms.unit };
}

async function lookUp(store: LookUpStore, questions: readonly Keys[]): Promise<readonly (readonly Stored[])[]> {
  try {
    const { keys } = await store.lookUp({ keys: questions.flat(), accounts: [] });
    let at = 0;
    return questions.map(({ length }) => {
      at += length;
      return keys.slice(at - length, at);
    });
  } catch (cause) {
    if (!(cause instanceof StoreFailure) || cause.outcome === 'refused') throw cause;
    await store.reset('reads');
    throw new ProblemError('unavailable', { cause });
  }
}
