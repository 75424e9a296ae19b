-- The ledger in several databases. Owner: core/shards. Empty tables: there is one database, and every shard is in it.

-- In the first database only, which also holds all that is not the ledger. A shard lives in one database for ever; the rows
-- of `shards` are in that one only, so that who owns a shard can be decided, and fenced, there and nowhere else.
create table shard_databases (
  shard_id smallint primary key check (shard_id between 0 and 255),
  database_id smallint not null check (database_id between 1 and 16)
);

-- In the first database only: where each writer writes, so that no two databases have a writer of the same id. A
-- transaction's id begins with its writer's.
create table writer_databases (
  writer_id smallint primary key check (writer_id between 1 and 1023),
  database_id smallint not null check (database_id between 1 and 16)
);

-- In each of several databases: which one it is. Written by the transaction that leaves only its own shards in `shards`.
create table ledger_database (
  id smallint not null check (id between 1 and 16),
  only_row boolean primary key default true check (only_row)
);
