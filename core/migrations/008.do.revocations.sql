-- Customers' tokens that are refused before they expire. Owner: core/identity. Nobody else reads or writes it.
--
-- `place` is what a reader of the list remembers. It is taken under a lock that is held until the commit, so that the
-- places become visible in their order, and no reader goes past one that is still to come.

create sequence revocation_places;

create table revocations (
  place bigint primary key,
  id uuid not null unique,
  kind text not null check (kind in ('token', 'subject')),
  value text not null,
  -- Only of this merchant's customers; null: of every merchant's.
  merchant_id uuid,
  expires_at timestamptz not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint revocations_request unique (creator, idempotency_key)
);
