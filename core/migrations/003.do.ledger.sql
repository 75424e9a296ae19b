-- The ledger's tables. Owner: core/ledger. Nobody else reads or writes them.

create type transaction_kind as enum (
  'earn', 'burn', 'hold', 'capture', 'release', 'reverse', 'adjust', 'expire', 'load', 'redeem', 'transfer_out', 'transfer_in'
);

-- A writer is the one commit lane of a core process. `batch` counts its committed batches; `epoch` fences it.
-- The row changes with every batch: room on its page keeps the updates heap-only.
create table writers (
  id smallint primary key check (id between 0 and 1023),
  epoch bigint not null default 0,
  batch bigint not null default 0 check (batch < 8796093022208),
  claimed_at timestamptz not null default now()
) with (fillfactor = 10);

-- Which writer serialises the accounts of a shard.
create table shards (
  id smallint primary key check (id between 0 and 255),
  writer_id smallint not null
);
insert into shards (id, writer_id) select id, 1 from generate_series(0, 255) as id;

-- The ledger row is the transfer, the balance after it, and the event: both legs in one row, so that they cannot
-- differ; the newest row of an account holds its balance; the order of `seq` is the outbox.
-- seq = writer (10 bits) | batch (43) | place in the batch (10); the transaction's id is made of it and occurred_at.
create table transactions (
  account_id uuid not null,
  version bigint not null,
  seq bigint not null,
  amount bigint not null check (amount between 1 and 1000000000000),
  balance_delta bigint not null,
  balance_after bigint not null check (balance_after between -9007199254740991 and 9007199254740991),
  held_after bigint not null check (held_after between 0 and 9007199254740991),
  occurred_at timestamptz not null,
  contra_account_id uuid not null,
  program_id uuid not null,
  correlation_id uuid not null,
  kind transaction_kind not null,
  request_hash bytea not null,
  idempotency_key text not null,
  reference text,
  metadata json,
  traceparent text,
  reversal_of uuid,
  primary key (account_id, version),
  unique (account_id, idempotency_key)
) with (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.02);

-- Where an id, or the relay's place, is found. It grows at its right edge only, so it costs next to nothing to keep.
create unique index transactions_seq on transactions (seq);

-- A refusal is an outcome too: the same key gets the same answer.
create table refusals (
  account_id uuid not null,
  seq bigint not null,
  amount bigint not null,
  balance bigint not null,
  held bigint not null,
  version bigint not null,
  occurred_at timestamptz not null,
  program_id uuid not null,
  correlation_id uuid not null,
  kind transaction_kind not null,
  code text not null,
  request_hash bytea not null,
  idempotency_key text not null,
  primary key (account_id, idempotency_key)
);

-- Two legs per row; they sum to zero by construction.
create view ledger_entries as
  select account_id, version, seq, 1 as leg, balance_delta as amount, occurred_at from transactions
  union all
  select contra_account_id, null, seq, 2, -balance_delta, occurred_at from transactions;

-- How far a writer's batches have been published: every batch up to this one is on Kafka.
create table relay_progress (
  writer_id smallint primary key,
  batch bigint not null,
  updated_at timestamptz not null default now()
) with (fillfactor = 10);
