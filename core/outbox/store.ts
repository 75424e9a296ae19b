/**
 * The publisher's SQL. One connection of its own, which holds the lock of the one who publishes: the lock ends with the
 * connection, so there is nobody to be declared dead. The server ends the session of a host that has vanished, and of a process
 * that stands still and says nothing for {@link OutboxLimits.silenceMs}.
 *
 * Every failure becomes an {@link OutboxFailure}, and the connection is given up with it.
 */
import { LoneConnection } from '../platform/postgres/index.ts';
import type { OutboxLimits } from './limits.ts';

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
  /** For good: what is asked afterwards fails. Never rejects. */
  close(): Promise<void>;
}

/** The table cannot be read or written for now. */
export class OutboxFailure extends Error {
  override readonly name = 'OutboxFailure';
}

/** Any number that nothing else locks. */
const LOCK = '7077018';

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
  readonly #connection: LoneConnection;
  #isHolder = false;

  constructor(databaseUrl: string, { silenceMs }: Pick<OutboxLimits, 'silenceMs'>) {
    this.#connection = new LoneConnection({
      url: databaseUrl,
      name: 'local-plus outbox',
      settings: {
        // A lost mark only repeats: no wait for its disk.
        synchronous_commit: 'off',
        jit: 'off',
        max_parallel_workers_per_gather: 0,
        enable_seqscan: 'off',
        idle_session_timeout: silenceMs,
      },
      failure: (message, options) => new OutboxFailure(message, options),
      ended: () => {
        this.#isHolder = false;
      },
    });
  }

  async hold(): Promise<boolean> {
    if (this.#isHolder) return true;
    const [row] = await this.#connection.run<{ held: boolean }>(lockStatement, []);
    this.#isHolder = row?.held ?? false;
    return this.#isHolder;
  }

  /** By ending the connection: whatever else is the matter, the lock is gone then. */
  release(): Promise<void> {
    return this.#connection.close();
  }

  waiting(rowsMax: number): Promise<readonly WaitingEvent[]> {
    return this.#connection.run<WaitingEvent>(waitingStatement, [String(rowsMax)]);
  }

  async mark(places: readonly string[]): Promise<void> {
    await this.#connection.run(markStatement, [`{${places.join(',')}}`]);
  }

  async remove(olderThanMs: number, rowsMax: number): Promise<number> {
    const [row] = await this.#connection.run<{ removed: number }>(removeStatement, [
      String(olderThanMs),
      String(rowsMax),
    ]);
    return row?.removed ?? 0;
  }

  async backlog(rowsMax: number): Promise<Backlog> {
    const [row] = await this.#connection.run<Backlog>(backlogStatement, [String(rowsMax)]);
    return row ?? { waiting: 0, lagMs: 0 };
  }

  close(): Promise<void> {
    return this.#connection.end();
  }
}
