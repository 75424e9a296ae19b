-- What people would build instead: the usual split into accounts with a balance, transactions, entries and an outbox.
-- No foreign keys and no further indexes: both would cost this side more.

create table accounts (
  id uuid primary key,
  program_id uuid not null,
  balance bigint not null default 0,
  held bigint not null default 0,
  version bigint not null default 0,
  updated_at timestamptz not null default now(),
  check (balance - held >= 0)
) with (fillfactor = 70);

create table transactions (
  id uuid primary key,
  account_id uuid not null,
  version bigint not null,
  kind text not null,
  amount bigint not null check (amount between 1 and 1000000000000),
  balance_after bigint not null,
  held_after bigint not null,
  idempotency_key text not null,
  request_hash bytea not null,
  correlation_id uuid not null,
  reference text,
  metadata json,
  created_at timestamptz not null,
  unique (account_id, idempotency_key)
);

create table entries (
  id bigint generated always as identity primary key,
  transaction_id uuid not null,
  account_id uuid not null,
  amount bigint not null,
  created_at timestamptz not null
);

create table outbox (
  id bigint generated always as identity primary key,
  aggregate_type text not null,
  aggregate_id uuid not null,
  event_type text not null,
  payload jsonb not null,
  created_at timestamptz not null
);
