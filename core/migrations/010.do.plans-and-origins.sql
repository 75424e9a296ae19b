-- What a key and a merchant may ask for, and from where. The defaults are what it was before. Owner: core/merchant.

alter table api_keys
  add column burst int check (burst >= 1),
  add column requests_per_month bigint check (requests_per_month >= 1);

alter table merchants
  add column requests_per_minute int check (requests_per_minute >= 1),
  add column burst int check (burst >= 1),
  add column requests_per_month bigint check (requests_per_month >= 1),
  add column allowed_origins text[] not null default '{}';

-- The edge asks whether any merchant allows an origin.
create index merchants_allowed_origins on merchants using gin (allowed_origins);

-- Every change of a merchant, once for one Idempotency-Key: what was set, by whom, when. The merchant's row has what holds.
create table merchant_changes (
  id bigint generated always as identity primary key,
  merchant_id uuid not null,
  kind text not null check (kind in ('plan', 'allowed_origins')),
  value jsonb not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint merchant_changes_request unique (creator, idempotency_key)
);
