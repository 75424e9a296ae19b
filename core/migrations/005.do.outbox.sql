-- What has to be announced and is not in the ledger's tail: one row per event, written by the statement that makes it
-- true. The modules write; the relay, or Debezium, reads. Rows are never deleted one by one.

create table outbox (
  id uuid primary key,
  aggregate_type varchar not null,
  aggregate_id varchar not null,
  event_type varchar not null,
  payload jsonb not null,
  created_at timestamptz not null default now()
);
