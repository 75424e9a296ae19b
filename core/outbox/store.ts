/**
 * The publisher's SQL. One connection of its own, which holds the lock of the one who publishes: the lock ends with the
 * connection, so there is nobody to be declared dead, and no clock decides.
 *
 * Every failure becomes an {@link OutboxFailure}, and the connection is given up with it: after a loss the driver may
 * report the old error again.
 */
import postgres from 'postgres';

export interface WaitingEvent {
  /** A `bigint`, as text. */
  readonly place: string;
  readonly topic: string;
  readonly aggregateId: string;
  /** JSON text. */
  readonly payload: string;
  readonly type: string;
  readonly schemaVersion: string;
}

export interface Backlog {
  /** Events that are not published, counted up to the maximum asked for. */
  readonly waiting: number;
  /** Since the oldest of them was written. */
  readonly lagMs: number;
}

export interface OutboxStore {
  /** Whether this process may publish: it holds the lock, or has just got it. */
  hold(): Promise<boolean>;
  /** Lets another process publish. Never rejects. */
  release(): Promise<void>;
  /** What is not published, in the order of places. */
  waiting(rowsMax: number): Promise<readonly WaitingEvent[]>;
  mark(places: readonly string[]): Promise<void>;
  /** @returns how many were removed */
  remove(olderThanMs: number, rowsMax: number): Promise<number>;
  backlog(rowsMax: number): Promise<Backlog>;
  /** Never rejects. */
  close(): Promise<void>;
}

/** The table cannot be read or written for now. */
export class OutboxFailure extends Error {
  override readonly name = 'OutboxFailure';
}

/** Any number that nothing else locks. */
const LOCK = '7077018';
/** The server ends a statement first; without any word of it, the connection is given up. */
const STATEMENT_MS = 10_000;
const REPLY_MS = 12_000;
const CONNECT_S = 3;
const CLOSE_MS = 1_000;

const lockStatement = `select pg_try_advisory_lock(${LOCK}) as held`;
/** By the column: the text of the same name would put 10 before 9. */
const waitingStatement = `
select place::text as place, event_type as topic, aggregate_id as "aggregateId", payload::text as payload,
  coalesce(payload ->> 'event_type', '') as type, coalesce(payload ->> 'schema_version', '') as "schemaVersion"
from outbox where published_at is null order by outbox.place limit $1::bigint`;
const markStatement = `update outbox set published_at = now()
  where place = any ($1::text[]::bigint[]) and published_at is null`;
const removeStatement = `with gone as (
    select id from outbox where published_at < now() - $1::bigint * interval '1 ms' order by published_at limit $2::bigint
  ), removed as (delete from outbox where id in (select id from gone) returning id)
  select count(*)::int as removed from removed`;
const backlogStatement = `
select (select count(*)::int from (select from outbox where published_at is null limit $1::bigint) as w) as waiting,
  coalesce((select extract(epoch from now() - created_at) * 1000 from outbox
    where published_at is null order by place limit 1), 0)::float8 as "lagMs"`;

export class PostgresOutboxStore implements OutboxStore {
  readonly #databaseUrl: string;
  #sql: postgres.Sql | null = null;
  #isHolder = false;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  async hold(): Promise<boolean> {
    if (this.#isHolder) return true;
    const [row] = await this.#run<{ held: boolean }>(lockStatement, []);
    this.#isHolder = row?.held ?? false;
    return this.#isHolder;
  }

  /** By ending the connection: whatever else is the matter, the lock is gone then. */
  release(): Promise<void> {
    return this.close();
  }

  waiting(rowsMax: number): Promise<readonly WaitingEvent[]> {
    return this.#run<WaitingEvent>(waitingStatement, [String(rowsMax)]);
  }

  async mark(places: readonly string[]): Promise<void> {
    await this.#run(markStatement, [`{${places.join(',')}}`]);
  }

  async remove(olderThanMs: number, rowsMax: number): Promise<number> {
    const [row] = await this.#run<{ removed: number }>(removeStatement, [String(olderThanMs), String(rowsMax)]);
    return row?.removed ?? 0;
  }

  async backlog(rowsMax: number): Promise<Backlog> {
    const [row] = await this.#run<Backlog>(backlogStatement, [String(rowsMax)]);
    return row ?? { waiting: 0, lagMs: 0 };
  }

  async close(): Promise<void> {
    const sql = this.#sql;
    this.#sql = null;
    this.#isHolder = false;
    if (sql === null) return;
    // A dead peer may never acknowledge the close: the connection is then left to the kernel's own time-outs.
    await Promise.race([sql.end({ timeout: 0 }), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
  }

  async #run<Row>(statement: string, parameters: string[]): Promise<readonly Row[]> {
    this.#sql ??= this.#connect();
    const sql = this.#sql;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no reply within ${REPLY_MS} ms`)), REPLY_MS);
    });
    try {
      return await Promise.race([sql.unsafe<Row[]>(statement, parameters, { prepare: true }), late]);
    } catch (cause) {
      if (this.#sql === sql) await this.close();
      throw new OutboxFailure(`Postgres: ${(cause as { code?: string }).code ?? 'no reply'}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** A lost mark only repeats: no wait for its disk. */
  #connect(): postgres.Sql {
    const sql: postgres.Sql = postgres(this.#databaseUrl, {
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: CONNECT_S,
      fetch_types: false,
      prepare: true,
      onnotice: () => undefined,
      // The driver would connect anew behind our back, without the lock.
      onclose: () => {
        if (this.#sql === sql) this.#isHolder = false;
      },
      connection: {
        application_name: 'local-plus outbox',
        statement_timeout: STATEMENT_MS,
        synchronous_commit: 'off',
        jit: 'off',
        max_parallel_workers_per_gather: 0,
        enable_seqscan: 'off',
      } as Record<string, string | number>,
    });
    return sql;
  }
}
