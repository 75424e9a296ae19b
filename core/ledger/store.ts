/**
 * The ledger's storage on Postgres: one connection for writes, one for look-ups, every write a single statement, executed
 * in the order of the calls.
 *
 * The fence row decides: a batch is applied if and only if the writer's row went from `batch − 1` to `batch` under its
 * epoch, in the same statement as the inserts. A second connection's statement waits for the row and then finds it
 * advanced, so sending a batch twice applies it once.
 *
 * Must not know: accounts' rules, who waits, what to do after a failure. Every failure becomes a `StoreFailure`.
 */
import {
  type Batch,
  type Findings,
  type LedgerStore,
  type LookUps,
  type StoreConnection,
  StoreFailure,
  type WriterPosition,
} from '@local-plus/actors';
import postgres from 'postgres';
import { endConnection, openConnection } from '../platform/postgres/index.ts';
import { type FoundRow, findingsFrom } from './found.ts';
import {
  claimStatement,
  commitOf,
  lookUpParameters,
  lookUpStatement,
  positionStatement,
  raiseStatement,
} from './statements.ts';

export interface PostgresStoreOptions {
  readonly databaseUrl: string;
  /** Postgres ends a statement after this; a ghost of ours holds the fence no longer. */
  readonly statementTimeoutMs: number;
  /** After this the connection is given up and the outcome is unknown. More than the above: the server answers first. */
  readonly replyTimeoutMs: number;
  readonly connectTimeoutS: number;
}

export const storeDefaults = { statementTimeoutMs: 5_000, replyTimeoutMs: 7_000, connectTimeoutS: 3 } as const;

/**
 * The planner's choices are fixed: the inner side of every look-up is an index scan, also while the tables are empty and
 * their statistics say that a sequential scan would do.
 */
export const plannerSettings = {
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_bitmapscan: 'off',
} as const;

/** How long a connection may take to close before it is left to itself. */
const CLOSE_MS_MAX = 1_000;

/** What of `SQLSTATE` says that the statement itself cannot be: data, integrity, limits. All else may pass. */
const REFUSED_CLASSES = new Set(['21', '22', '23', '54']);

interface PositionRow {
  readonly epoch: string;
  readonly batch: string;
}

export class PostgresLedgerStore implements LedgerStore {
  readonly #options: PostgresStoreOptions;
  readonly #connections = new Map<StoreConnection, postgres.Sql>();

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
  }

  async claim(writerId: number): Promise<WriterPosition> {
    const [row] = await this.#run<PositionRow>('writes', claimStatement, [String(writerId)]);
    if (!row) throw new StoreFailure('unknown', 'the claim returned no row');
    return positionFrom(row);
  }

  async raise(writerId: number, heldEpoch: number): Promise<WriterPosition | null> {
    const [row] = await this.#run<PositionRow>('writes', raiseStatement, [String(writerId), String(heldEpoch)]);
    return row ? positionFrom(row) : null;
  }

  async position(writerId: number): Promise<WriterPosition> {
    const [row] = await this.#run<PositionRow>('writes', positionStatement, [String(writerId)]);
    return row ? positionFrom(row) : { epoch: 0, batch: 0 };
  }

  async commit(batch: Batch): Promise<boolean> {
    const { statement, parameters } = commitOf(batch);
    const [row] = await this.#run<{ used: boolean }>('writes', statement, parameters);
    if (row?.used) throw new StoreFailure('refused', 'a key was used');
    return row !== undefined;
  }

  async lookUp(lookUps: LookUps): Promise<Findings> {
    return findingsFrom(await this.#run<FoundRow>('reads', lookUpStatement, lookUpParameters(lookUps)), lookUps);
  }

  async reset(connection: StoreConnection): Promise<void> {
    const sql = this.#connections.get(connection);
    this.#connections.delete(connection);
    if (sql !== undefined) await endConnection(sql, CLOSE_MS_MAX);
  }

  async #run<Row>(connection: StoreConnection, statement: string, parameters: string[]): Promise<readonly Row[]> {
    const { replyTimeoutMs } = this.#options;
    const sql = this.#connections.get(connection) ?? this.#connect(connection);
    const query = sql.unsafe<(Row & object)[]>(statement, parameters, { prepare: true });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no reply within ${replyTimeoutMs} ms`)), replyTimeoutMs);
    });
    try {
      return await Promise.race([query, late]);
    } catch (cause) {
      throw storeFailure(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #connect(connection: StoreConnection): postgres.Sql {
    const { databaseUrl, statementTimeoutMs, connectTimeoutS } = this.#options;
    const settings = {
      application_name: 'local-plus ledger',
      statement_timeout: statementTimeoutMs,
      synchronous_commit: 'on',
      ...plannerSettings,
    } as Record<string, string | number>;
    const sql = openConnection(
      databaseUrl,
      { connect_timeout: connectTimeoutS, prepare: true, connection: settings },
      () => {
        if (this.#connections.get(connection) === sql) this.#connections.delete(connection);
      },
    );
    this.#connections.set(connection, sql);
    return sql;
  }
}

function storeFailure(cause: unknown): StoreFailure {
  const sqlState = cause instanceof postgres.PostgresError ? cause.code : null;
  const refused = sqlState !== null && REFUSED_CLASSES.has(sqlState.slice(0, 2));
  const code = sqlState ?? (cause as { code?: string }).code ?? 'no code';
  return new StoreFailure(refused ? 'refused' : 'unknown', `Postgres: ${code}`, { cause });
}

function positionFrom(row: PositionRow): WriterPosition {
  return { epoch: Number(row.epoch), batch: Number(row.batch) };
}
