/**
 * In which of the ledger's databases a shard lives: decided once, before anything is written (placing.ts), and never
 * changed, so what was read once holds for ever.
 *
 * - D1 one database holds a shard's rows and the row that says who owns it. Who owns it is therefore decided where it is
 *   fenced, and S1, T1 – T3 hold in each database by itself, whatever becomes of the others.
 * - D2 a process serves nothing before it has read that its own database is the one that it takes it for, and that its
 *   writer writes nowhere else: a wrong address among the settings makes it wait, not write.
 */
import type { Log, Timer } from '@local-plus/actors';
import { type AccountId, shards as contract } from '@local-plus/contracts';
import type { LedgerDatabase, LedgerDatabases } from '../ledger/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';

/** In the first database. `$1` null: of a process that knows of one database only. */
const claimWriterStatement = `
with claimed as (
  insert into writer_databases (writer_id, database_id) select $1::smallint, $2::smallint where $1::smallint is not null
  on conflict do nothing returning database_id
)
select (select coalesce(json_agg(json_build_array(shard_id, database_id)), '[]') from shard_databases)::text as shards,
  coalesce((select database_id from claimed),
    (select database_id from writer_databases where writer_id = $1::smallint)) as database_id`;

const identityStatement = 'select id from ledger_database';

export interface PlacementOptions {
  /** The first one is among them. */
  readonly databases: readonly LedgerDatabase[];
  /** Where this process commits. */
  readonly own: LedgerDatabase;
  readonly writerId: number;
  /** The first one's: all that is not the ledger. */
  readonly home: Pick<Database, 'read' | 'write'>;
  /** In which database a writer has committed, as far as is known; null: not known of any. */
  readonly seenIn: (writerId: number) => number | null;
  readonly timer: Pick<Timer, 'after'>;
  readonly log: Log;
  /** The pause between two tries. */
  readonly againMs: number;
}

export class Placement implements LedgerDatabases {
  readonly #options: PlacementOptions;
  #byShard: readonly (LedgerDatabase | undefined)[] | null = null;
  #fault: string | null = null;
  #isStopped = false;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  get all(): readonly LedgerDatabase[] {
    return this.#options.databases;
  }

  of(accountId: AccountId): LedgerDatabase {
    const database = this.#byShard?.[contract.shardOf(accountId)];
    if (database === undefined) throw new ProblemError('unavailable');
    return database;
  }

  /** A writer that was seen to have committed in one database never does in another (D2). */
  ofWriter(writerId: number): readonly LedgerDatabase[] {
    if (this.all.length === 1) return this.all;
    const id = this.#options.seenIn(writerId);
    return id === null ? this.all : this.all.filter((database) => database.id === id);
  }

  /** What is wrong with the settings or the databases, in words; null: nothing that is known. */
  get fault(): string | null {
    return this.#fault;
  }

  /** D2. Tries until everything is as it should be, or until it is stopped; false: it was stopped. */
  async establish(): Promise<boolean> {
    const { log, timer, againMs } = this.#options;
    let isSaid = false;
    while (!this.#isStopped) {
      try {
        this.#fault = await this.#settle();
        if (this.#fault === null) return true;
        if (!isSaid) log.error('this process can serve nothing', { why: this.#fault });
        isSaid = true;
      } catch (cause) {
        log.warn('it is not known yet where shards live', { cause: String(cause) });
      }
      await new Promise<void>((resolve) => timer.after(againMs, resolve));
    }
    return false;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** null, or the fault. Rejects while a database is away. */
  async #settle(): Promise<string | null> {
    const { home, own, writerId, databases } = this.#options;
    const isOne = databases.length === 1;
    const parameters = [isOne ? null : String(writerId), String(own.id)];
    const [row] = await home.write<{ shards: string; database_id: number | null }>(claimWriterStatement, parameters);
    if (row === undefined) throw new Error('the placement is a row');
    const placed = JSON.parse(row.shards) as (readonly [shard: number, databaseId: number])[];
    if (isOne) return this.#settleOne(placed.length > 0);
    if (placed.length === 0) return 'its shards have not been placed in databases yet: run the migration';
    if (row.database_id === null) return this.#settle();
    if (row.database_id !== own.id) return `writer ${writerId} is of database ${row.database_id}, not of ${own.id}`;
    const [identity] = await own.pool.read<{ id: number }>(identityStatement);
    if (identity?.id !== own.id) {
      return `what should be database ${own.id} ${identity === undefined ? 'is none of the ledger yet' : `is ${identity.id}`}`;
    }
    const byId = new Map(databases.map((database) => [database.id, database]));
    const byShard: (LedgerDatabase | undefined)[] = [];
    for (const [shard, databaseId] of placed) byShard[shard] = byId.get(databaseId);
    this.#byShard = byShard;
    return null;
  }

  #settleOne(isPlaced: boolean): string | null {
    const { own } = this.#options;
    if (isPlaced) return 'the ledger has several databases, and LEDGER_DATABASES does not name them';
    this.#byShard = Array.from({ length: contract.shardCount }, () => own);
    return null;
  }
}
