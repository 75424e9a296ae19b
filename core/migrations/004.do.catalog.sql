-- The gift-card module's tables. Owner: core/giftcard. Nobody else reads or writes them.

create table catalog_items (
  id uuid primary key,
  name text not null,
  brand text not null,
  currency text not null,
  denominations bigint[] not null,
  status text not null default 'published' check (status in ('published', 'withdrawn')),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint catalog_items_request unique (creator, idempotency_key)
);
