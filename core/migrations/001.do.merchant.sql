-- The merchant module's tables. Owner: core/merchant. Nobody else reads or writes them.
--
-- Whoever creates something names it by an idempotency key of its own: `creator` is the calling merchant, or the
-- nil UUID for the operator. The same key with the same request finds the row that is there; `request_hash` tells whether it is the same.

create table merchants (
  id uuid primary key,
  name text not null,
  status text not null default 'active' check (status in ('active', 'suspended', 'closed')),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint merchants_request unique (creator, idempotency_key)
);

-- Of a key only its SHA-256 is kept: 256 random bits need no salt and no slow hash.
create table api_keys (
  id uuid primary key,
  merchant_id uuid not null,
  name text not null,
  prefix text not null,
  key_hash bytea not null constraint api_keys_key_hash unique,
  scopes text[] not null,
  requests_per_minute int not null check (requests_per_minute >= 1),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  -- The Idempotency-Key of the request that revoked it: tells a repetition from another request.
  revocation_key text,
  constraint api_keys_request unique (creator, idempotency_key)
);

create table programs (
  id uuid primary key,
  merchant_id uuid not null,
  name text not null,
  unit text not null,
  scale smallint not null check (scale between 0 and 6),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint programs_request unique (creator, idempotency_key)
);
