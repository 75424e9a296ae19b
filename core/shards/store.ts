/**
 * The tables `shards`, `members`, `shard_moves`, and what a move needs of `writers`. SQL only; every write is one statement.
 *
 * - T1 a move locks the row of the writer that loses the shard, so it waits behind that writer's batch in flight, and its
 *   next batch, or claim, waits behind the move. What `from_batch` says is thus the last batch that can have the shard.
 * - T2 a move is a compare-and-set on the shard's version: what was tried twice happens once, and an attempt in doubt is
 *   ended by any other attempt at the same version.
 * - T3 whoever hands over has to hold the writer's epoch; whoever takes over raises it, from the one that it saw.
 */
import { audited, recordEntry } from '../audit/index.ts';
import type { Database } from '../platform/postgres/index.ts';

/** Told when something moved; without content. */
export const channel = 'local_plus_shards';

export interface MemberRow {
  readonly writer_id: number;
  readonly incarnation: number;
  readonly address: string;
  readonly relays: boolean;
  /** It hands over, or is to. */
  readonly draining: boolean;
  readonly started_at: string;
  readonly seen_at: string;
}

export interface WriterRow {
  readonly id: number;
  readonly epoch: number;
  readonly batch: number;
}

/** A shard that came to this writer, and what has to be published before anything of its new stay is. */
export interface Arrival {
  readonly shard: number;
  readonly version: number;
  readonly fromWriter: number;
  readonly fromBatch: number;
  /** Batches of the new owner up to here are of an earlier stay. */
  readonly toBatch: number;
}

/** Everything, at one moment. */
export interface View {
  readonly members: readonly MemberRow[];
  readonly writers: readonly WriterRow[];
  /** id, owner, version. */
  readonly shards: readonly (readonly [number, number, number])[];
  readonly arrivals: readonly Arrival[];
}

export interface Membership {
  readonly writerId: number;
  readonly incarnation: number;
  readonly address: string;
  readonly relays: boolean;
  readonly draining: boolean;
  /** The writer's, as the process holds it. Who holds another has been taken over from, and may not know it yet: it drains. */
  readonly epoch?: number;
}

export interface Beat {
  /** False: a newer process of this writer is a member. */
  readonly isNewest: boolean;
  /** As the writer's row says. */
  readonly epoch: number;
  readonly drainWanted: boolean;
}

export interface VersionedShard {
  readonly shard: number;
  readonly version: number;
}

const beatStatement = `
with beat as (
  insert into members (writer_id, incarnation, address, relays, draining)
  values ($1::smallint, $2::bigint, $3::text, $4::boolean,
    $5::boolean or coalesce((select epoch from writers where id = $1::smallint) <> $6::bigint, false))
  on conflict (writer_id) do update set incarnation = excluded.incarnation, address = excluded.address,
    relays = excluded.relays, draining = excluded.draining, seen_at = clock_timestamp(),
    started_at = case when members.incarnation = excluded.incarnation then members.started_at else clock_timestamp() end,
    drain_wanted = members.drain_wanted and members.incarnation = excluded.incarnation
  where members.incarnation <= excluded.incarnation
  returning drain_wanted
)
select (select count(*) from beat)::int as beats, coalesce((select drain_wanted from beat), false) as drain_wanted,
  (select epoch from writers where id = $1::smallint) as epoch`;

const leaveStatement = 'delete from members where writer_id = $1::smallint and incarnation = $2::bigint';

const viewStatement = `
select
  (select coalesce(json_agg(m), '[]') from (
    select writer_id, incarnation, address, relays, draining or drain_wanted as draining,
      to_char(started_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
      to_char(seen_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as seen_at from members) as m)::text as members,
  (select coalesce(json_agg(w), '[]') from (select id, epoch, batch from writers) as w)::text as writers,
  (select coalesce(json_agg(json_build_array(id, writer_id, version)), '[]') from shards)::text as shards,
  (select coalesce(json_agg(json_build_object('shard', shard_id, 'version', version, 'fromWriter', from_writer,
    'fromBatch', from_batch, 'toBatch', to_batch)), '[]')
    from shard_moves where to_writer = $1::smallint and from_batch > 0)::text as arrivals`;

/**
 * What still stands before the former owner stands before the new one, too: the former may have written nothing of it. Who has
 * committed nothing leaves nothing to wait for.
 */
const noteMoves = `
insert into shard_moves (shard_id, version, from_writer, from_batch, to_writer, to_batch)
  select id, version, from_writer, from_batch, to_writer, to_batch from moved
  where to_writer <> from_writer and from_batch > 0
  union all
  select v.id, v.version, m.from_writer, max(m.from_batch), v.to_writer, v.to_batch
  from moved as v join shard_moves as m on m.shard_id = v.id and m.to_writer = v.from_writer
  where v.to_writer <> v.from_writer and m.from_writer <> v.to_writer and m.from_batch > 0
  group by v.id, v.version, m.from_writer, v.to_writer, v.to_batch`;

/** $3: whom to; the giver itself ends what is in doubt. $6: how long a taker may have been silent, seconds. */
const handOverStatement = `
with held as (
  select id, batch from writers where id = $1::smallint and epoch = $2::bigint for no key update
), target as (
  select m.writer_id, coalesce(w.batch, 0) as batch from members as m left join writers as w on w.id = m.writer_id
  where m.writer_id = $3::smallint and (m.writer_id = $1::smallint
    or not (m.draining or m.drain_wanted) and m.seen_at > clock_timestamp() - make_interval(secs => $6::float8))
), moved as (
  update shards as s set writer_id = t.writer_id, version = s.version + 1
  from held as h, target as t, unnest($4::text[]::int[], $5::text[]::bigint[]) as q(id, version)
  where s.id = q.id and s.version = q.version and s.writer_id = h.id
  returning s.id, s.version, h.id as from_writer, h.batch as from_batch, t.writer_id as to_writer, t.batch as to_batch
), noted as (${noteMoves})
select id, version, pg_notify('${channel}', '')::text from moved`;

/** $3, $4, $5: shard, its version, its owner to be. A writer that never was has no row: epoch 0. */
const takeOverStatement = `
with fenced as (
  insert into writers (id, epoch, batch) values ($1::smallint, 1, 0)
  on conflict (id) do update set epoch = writers.epoch + 1, claimed_at = now() where writers.epoch = $2::bigint
  returning id, batch
), moved as (
  update shards as s set writer_id = q.writer_id, version = s.version + 1
  from fenced as f, unnest($3::text[]::int[], $4::text[]::bigint[], $5::text[]::smallint[]) as q(id, version, writer_id)
    left join writers as w on w.id = q.writer_id
  where s.id = q.id and s.version = q.version and s.writer_id = f.id
  returning s.id, s.version, f.id as from_writer, f.batch as from_batch, q.writer_id as to_writer,
    coalesce(w.batch, 0) as to_batch
), noted as (${noteMoves})
select id, version, pg_notify('${channel}', '')::text from moved`;

/** One row, if there is such a member; $3: the audit entry of what changes, null: it stands in another database. */
const wishStatement = `
with changed as (
  update members set drain_wanted = $2::boolean where writer_id = $1::smallint and drain_wanted <> $2::boolean
  returning writer_id
), told as (select from changed where $3::text is not null), ${audited(3, 'told')}
select pg_notify('${channel}', '')::text from members where writer_id = $1::smallint`;
const wantedStatement = 'select drain_wanted from members where writer_id = $1::smallint';

export class ShardStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  async beat({ writerId, incarnation, address, relays, draining, epoch }: Membership): Promise<Beat> {
    const [row] = await this.#database.write<{ beats: number; drain_wanted: boolean; epoch: number }>(beatStatement, [
      String(writerId),
      String(incarnation),
      address,
      relays,
      draining,
      epoch === undefined ? null : String(epoch),
    ]);
    if (row === undefined) throw new Error('a beat returns a row');
    return { isNewest: row.beats === 1, epoch: row.epoch, drainWanted: row.drain_wanted };
  }

  async leave({ writerId, incarnation }: Pick<Membership, 'writerId' | 'incarnation'>): Promise<void> {
    await this.#database.write(leaveStatement, [String(writerId), String(incarnation)]);
  }

  async view(writerId: number): Promise<View> {
    const [row] = await this.#database.read<Readonly<Record<keyof View, string>>>(viewStatement, [String(writerId)]);
    if (row === undefined) throw new Error('a view is a row');
    return {
      members: JSON.parse(row.members),
      writers: JSON.parse(row.writers),
      shards: JSON.parse(row.shards),
      arrivals: JSON.parse(row.arrivals),
    };
  }

  /** What moved, with its new version. Rejects without saying whether it happened (T2). */
  async handOver(
    from: { readonly writerId: number; readonly epoch: number },
    to: number,
    shards: readonly VersionedShard[],
    takerSilentMsMax: number,
  ): Promise<readonly VersionedShard[]> {
    const rows = await this.#database.write<{ id: number; version: number }>(handOverStatement, [
      String(from.writerId),
      String(from.epoch),
      String(to),
      shards.map(({ shard }) => String(shard)),
      shards.map(({ version }) => String(version)),
      takerSilentMsMax / 1_000,
    ]);
    return rows.map(({ id, version }) => ({ shard: id, version }));
  }

  /** How many shards moved; 0: the epoch is another by now, or somebody was quicker. */
  async takeOver(
    dead: { readonly writerId: number; readonly epoch: number },
    shards: readonly (VersionedShard & { readonly to: number })[],
  ): Promise<number> {
    const rows = await this.#database.write(takeOverStatement, [
      String(dead.writerId),
      String(dead.epoch),
      shards.map(({ shard }) => String(shard)),
      shards.map(({ version }) => String(version)),
      shards.map(({ to }) => String(to)),
    ]);
    return rows.length;
  }

  /** null: there is no such member. */
  async wanted(writerId: number): Promise<boolean | null> {
    const [row] = await this.#database.read<{ drain_wanted: boolean }>(wantedStatement, [String(writerId)]);
    return row?.drain_wanted ?? null;
  }

  /**
   * False: there is no such member.
   *
   * @param entry of the audit trail, which stands in the first database: written if this changes anything. null: in another
   *   database, where {@link record} has written it.
   */
  async wish(writerId: number, drain: boolean, entry: string | null): Promise<boolean> {
    return (await this.#database.write(wishStatement, [String(writerId), drain, entry])).length === 1;
  }

  /** Of a change that is going to be made in another database. In the first one only. */
  record(entry: string): Promise<void> {
    return recordEntry(this.#database, entry);
  }
}
