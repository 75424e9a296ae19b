/**
 * What the suite itself sees in Postgres, past every proxy: who owns which shard, what is still open, and a log of every move
 * of a shard, kept by a trigger of the suite's own in its own database.
 */
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { limits } from '../limits.ts';

/** A shard changed hands: `fromBatch` is the last of the old owner's batches, `toBatch` the new one's newest at that moment. */
export interface Move {
  readonly shard: number;
  readonly version: number;
  readonly from: number;
  readonly fromBatch: number;
  readonly to: number;
  readonly toBatch: number;
}

/** A stored refusal, and the state that it was decided on. */
export interface StoredRefusal {
  readonly accountId: string;
  readonly key: string;
  readonly code: string;
  readonly amount: number;
  readonly version: number;
  readonly balance: number;
  readonly held: number;
}

export interface Unfinished {
  /** Transfers across lanes that have left one wallet and not ended. */
  readonly openTransfers: number;
  /** Batches that a writer has committed and nobody has published, over all writers. */
  readonly unpublished: number;
  /** Shards a writer owns, by writer. */
  readonly shares: ReadonlyMap<number, number>;
}

const logMoves = `
create table chaos_moves (
  place bigint generated always as identity primary key,
  shard smallint not null, version bigint not null,
  from_writer smallint not null, from_batch bigint not null, to_writer smallint not null, to_batch bigint not null
);
create function chaos_log_move() returns trigger language plpgsql as $$
begin
  insert into chaos_moves (shard, version, from_writer, from_batch, to_writer, to_batch) values (
    new.id, new.version, old.writer_id, coalesce((select batch from writers where id = old.writer_id), 0),
    new.writer_id, coalesce((select batch from writers where id = new.writer_id), 0));
  return null;
end $$;
create trigger chaos_log_move after update of writer_id on shards
  for each row when (old.writer_id <> new.writer_id) execute function chaos_log_move();`;

export class Observer {
  readonly #sql: postgres.Sql<{ bigint: number }>;

  constructor(databaseUrl: string) {
    this.#sql = postgres(databaseUrl, {
      max: 2,
      connect_timeout: limits.questionMs / 1_000,
      onnotice: () => undefined,
      // A connection that dies while the driver asks for types ends the process: nobody hears of that failure.
      fetch_types: false,
      connection: { application_name: 'chaos' },
      types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
    });
  }

  /** Before any process of core runs. Returns the owners to begin with, by shard. */
  async logMoves(): Promise<number[]> {
    await this.#sql.unsafe(logMoves);
    return this.#owners();
  }

  /** By shard; null: the database does not answer now. */
  async owners(): Promise<number[] | null> {
    return this.#ask(() => this.#owners());
  }

  async unfinished(): Promise<Unfinished | null> {
    return this.#ask(async () => {
      const [row] = await this.#sql<{ open: number; unpublished: number }[]>`
        select (select count(*)::int from open_transfers) as open,
          (select coalesce(sum(w.batch - coalesce(p.batch, 0)), 0)::int from writers as w
            left join relay_progress as p on p.writer_id = w.id) as unpublished`;
      const owners = await this.#owners();
      const shares = new Map<number, number>();
      for (const owner of owners) shares.set(owner, (shares.get(owner) ?? 0) + 1);
      return { openTransfers: row?.open ?? 0, unpublished: row?.unpublished ?? 0, shares };
    });
  }

  async moves(): Promise<Move[]> {
    return [
      ...(await this.#sql<Move[]>`
        select shard, version, from_writer as "from", from_batch as "fromBatch", to_writer as "to", to_batch as "toBatch"
        from chaos_moves order by shard, version`),
    ];
  }

  async refusals(): Promise<StoredRefusal[]> {
    return [
      ...(await this.#sql<StoredRefusal[]>`
        select account_id as "accountId", idempotency_key as key, code, amount, version, balance, held from refusals`),
    ];
  }

  /** Keeps Postgres' own log from filling its disk; nothing happens while it is away. */
  async checkpoint(): Promise<void> {
    await this.#ask(() => this.#sql`checkpoint`);
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 2 });
  }

  async #owners(): Promise<number[]> {
    const rows = await this.#sql<{ id: number; writer_id: number }[]>`select id, writer_id from shards order by id`;
    return rows.map((row) => row.writer_id);
  }

  /** null: no answer in time, or none at all; who asks has another question by then. */
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer | null> {
    const asked = question().catch(() => null);
    return Promise.race([asked, delay(limits.questionMs, null)]);
  }
}
