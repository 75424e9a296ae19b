/**
 * The relay's SQL: it reads the ledger's tail by `seq`, which barriers stand before it, and keeps how far it has published.
 *
 * One connection of its own, so that a read of the backlog never stands in a request's way. Every failure becomes a
 * {@link TailFailure}, and the connection is given up with it.
 */
import type { TransactionKind } from '@local-plus/actors';
import {
  type AccountId,
  type ProgramId,
  positionBounds,
  positionOf,
  type RequestId,
  seqOf,
} from '@local-plus/contracts';
import { LoneConnection } from '../platform/postgres/index.ts';
import type { Barrier } from './barriers.ts';
import type { Announcement } from './domain.ts';

export interface Backlog {
  /** The last committed batch; 0 when there is none. */
  readonly newest: number;
  /** Rows after the cursor, counted up to the maximum asked for. */
  readonly rows: number;
}

export interface RelayStore {
  /** The last batch of which this and all before are published; 0 at first. */
  progress(writerId: number): Promise<number>;
  /** Moves the progress forwards; never back. */
  saveProgress(writerId: number, batch: number): Promise<void>;
  backlog(writerId: number, cursor: number, rowsMax: number): Promise<Backlog>;
  /** The first `rowsMax` rows after batch `cursor`, in order. */
  page(writerId: number, cursor: number, rowsMax: number): Promise<Announcement[]>;
  /** The barriers before this writer's batches that nobody has passed yet. */
  barriers(writerId: number): Promise<readonly Barrier[]>;
  /** Of these writers, those of which not everything is published. */
  behind(writerIds: readonly number[]): Promise<readonly number[]>;
  /** For good: what is asked afterwards fails. Never rejects. */
  close(): Promise<void>;
}

/** The table cannot be read or written for now. */
export class TailFailure extends Error {
  override readonly name = 'TailFailure';
}

/** Pages come by the index on `seq`, whatever the statistics say. A lost progress only repeats: no wait for its disk. */
const sessionSettings = {
  synchronous_commit: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  max_parallel_workers_per_gather: 0,
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
};

const progressStatement = 'select batch from relay_progress where writer_id = $1::smallint';

const saveStatement = `
insert into relay_progress (writer_id, batch) values ($1::smallint, $2::bigint)
on conflict (writer_id) do update set batch = greatest(relay_progress.batch, excluded.batch), updated_at = now()`;

const backlogStatement = `
select (select max(seq) from transactions where seq > $1::bigint and seq <= $2::bigint) as newest,
  (select batch from writers where id = $4::smallint) as committed,
  (select count(*) from (
    select from transactions where seq > $1::bigint and seq <= $2::bigint limit $3::bigint) as t) as rows`;

const pageStatement = `
select seq, account_id, program_id, contra_account_id, correlation_id, kind::text as kind, version, amount,
  balance_delta, balance_after, held_after, (extract(epoch from occurred_at) * 1000)::bigint as occurred_ms,
  reference, traceparent
from transactions where seq > $1::bigint and seq <= $2::bigint order by seq limit $3::bigint`;

/** What has served goes on the way. A writer that has published nothing yet has no progress: 0. */
const barriersStatement = `
with served as (
  delete from shard_moves as m where m.to_writer = $1::smallint
    and m.from_batch <= coalesce((select batch from relay_progress where writer_id = m.from_writer), 0)
)
select m.shard_id, m.version, m.from_writer, m.from_batch, m.to_batch
from shard_moves as m left join relay_progress as p on p.writer_id = m.from_writer
where m.to_writer = $1::smallint and coalesce(p.batch, 0) < m.from_batch`;

const behindStatement = `
select w.id from writers as w left join relay_progress as p on p.writer_id = w.id
where w.id = any ($1::text[]::smallint[]) and w.batch > coalesce(p.batch, 0) order by w.id`;

/** `bigint` arrives as text. */
interface BarrierRow {
  readonly shard_id: number;
  readonly version: string;
  readonly from_writer: number;
  readonly from_batch: string;
  readonly to_batch: string;
}

/** `bigint` arrives as text. */
interface PageRow {
  readonly seq: string;
  readonly account_id: AccountId;
  readonly program_id: ProgramId;
  readonly contra_account_id: AccountId;
  readonly correlation_id: RequestId;
  readonly kind: TransactionKind;
  readonly version: string;
  readonly amount: string;
  readonly balance_delta: string;
  readonly balance_after: string;
  readonly held_after: string;
  readonly occurred_ms: string;
  readonly reference: string | null;
  readonly traceparent: string | null;
}

interface BacklogRow {
  readonly newest: string | null;
  readonly committed: string | null;
  readonly rows: string;
}

export class PostgresRelayStore implements RelayStore {
  readonly #connection: LoneConnection;

  constructor(databaseUrl: string) {
    this.#connection = new LoneConnection({
      url: databaseUrl,
      name: 'local-plus relay',
      settings: sessionSettings,
      failure: (message, options) => new TailFailure(message, options),
    });
  }

  async progress(writerId: number): Promise<number> {
    const [row] = await this.#connection.run<{ batch: string }>(progressStatement, [String(writerId)]);
    return row ? Number(row.batch) : 0;
  }

  async saveProgress(writerId: number, batch: number): Promise<void> {
    await this.#connection.run(saveStatement, [String(writerId), String(batch)]);
  }

  async backlog(writerId: number, cursor: number, rowsMax: number): Promise<Backlog> {
    const parameters = [...rangeAfter(writerId, cursor), String(rowsMax), String(writerId)];
    const [row] = await this.#connection.run<BacklogRow>(backlogStatement, parameters);
    // The last batches may have been refusals only: they have no row, and yet somebody may wait for them.
    const newest = row?.newest ? positionOf(row.newest).batch : 0;
    return { newest: Math.max(newest, Number(row?.committed ?? 0)), rows: Number(row?.rows) };
  }

  async page(writerId: number, cursor: number, rowsMax: number): Promise<Announcement[]> {
    const parameters = [...rangeAfter(writerId, cursor), String(rowsMax)];
    return (await this.#connection.run<PageRow>(pageStatement, parameters)).map(announcementFrom);
  }

  async barriers(writerId: number): Promise<readonly Barrier[]> {
    const rows = await this.#connection.run<BarrierRow>(barriersStatement, [String(writerId)]);
    return rows.map((row) => ({
      shard: row.shard_id,
      version: Number(row.version),
      fromWriter: row.from_writer,
      fromBatch: Number(row.from_batch),
      toBatch: Number(row.to_batch),
    }));
  }

  async behind(writerIds: readonly number[]): Promise<readonly number[]> {
    const rows = await this.#connection.run<{ id: number }>(behindStatement, [`{${writerIds.join(',')}}`]);
    return rows.map(({ id }) => id);
  }

  close(): Promise<void> {
    return this.#connection.end();
  }
}

/** After the last place of `cursor`, up to the last position that the writer can ever have. */
function rangeAfter(writerId: number, cursor: number): [string, string] {
  const { placeMax: place, batchMax: batch } = positionBounds;
  return [seqOf({ writerId, batch: cursor, place }), seqOf({ writerId, batch, place })];
}

function announcementFrom(row: PageRow): Announcement {
  const { batch, place } = positionOf(row.seq);
  return {
    batch,
    place,
    row: {
      facts: {
        accountId: row.account_id,
        programId: row.program_id,
        requestId: row.correlation_id,
        traceparent: row.traceparent,
        reference: row.reference,
      },
      posting: {
        kind: row.kind,
        amount: Number(row.amount),
        balanceDelta: Number(row.balance_delta),
        contraAccountId: row.contra_account_id,
        version: Number(row.version),
        balanceAfter: Number(row.balance_after),
        heldAfter: Number(row.held_after),
        occurredAtMs: Number(row.occurred_ms),
      },
    },
  };
}
