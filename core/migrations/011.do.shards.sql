-- Who serialises which accounts, and who is there. Owner: core/shards.

-- Every move raises `version`: of two things heard of a shard, the higher version is the newer.
alter table shards add column version bigint not null default 1 check (version >= 1);

-- A running process of core. `seen_at` says nothing about who may write (that is the writer's epoch), only whom to wait for.
-- `incarnation` is the epoch of the process's claim: an older process of the same writer does not overwrite a newer one.
-- The row changes twice a second: room on its page keeps the updates heap-only.
create table members (
  writer_id smallint primary key check (writer_id between 0 and 1023),
  incarnation bigint not null,
  address text not null,
  relays boolean not null,
  draining boolean not null default false,
  drain_wanted boolean not null default false,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 10);

-- From whom a shard went to whom, and after which batch of each: nothing of the shard is in batches of `from_writer` after
-- `from_batch`, nor in batches of `to_writer` up to `to_batch` that belongs to this stay. The relay of `to_writer` waits for
-- `from_batch` to be published; then the row has served. A move hands on what still stood before the former owner: that one
-- may have written nothing, and then its own batches say nothing of those before.
create table shard_moves (
  shard_id smallint not null,
  version bigint not null,
  from_writer smallint not null,
  from_batch bigint not null,
  to_writer smallint not null,
  to_batch bigint not null,
  moved_at timestamptz not null default now(),
  primary key (shard_id, version, from_writer)
);
create index shard_moves_to on shard_moves (to_writer);
