-- Customers. Owner: core/customer. What says who a person is stands in `customer_contacts`, encrypted, and nowhere else;
-- what it is encrypted with stands in `customer_keys`, wrapped by a key of the configuration. Without its key, a contact
-- says nothing any more: neither in the table, nor in any copy of it.

create table customers (
  id uuid primary key,
  merchant_id uuid not null,
  -- Never personal data; null: it has none, or is erased.
  external_id text,
  status text not null default 'active' check (status in ('active', 'merged', 'erased')),
  merged_into uuid,
  version bigint not null default 1,
  -- Customers that were merged into it, however indirectly; consents that were recorded under its id.
  merges int not null default 0,
  consents int not null default 0,
  creator uuid not null,
  idempotency_key text not null,
  -- Keyed by the customer's own key, since what was asked is personal: null once that is destroyed.
  request_hash bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customers_request unique (creator, idempotency_key),
  check (status <> 'active' or merged_into is null),
  check (status <> 'merged' or merged_into is not null)
);
create unique index customers_external_id on customers (merchant_id, external_id) where external_id is not null;
create index customers_merchant on customers (merchant_id, id);
create index customers_merged_into on customers (merged_into) where merged_into is not null;

-- AES-256-GCM: nonce (12 bytes), what is encrypted, tag (16). Bound to the customer's id.
create table customer_contacts (
  customer_id uuid primary key,
  sealed bytea not null
);
create table customer_keys (
  customer_id uuid primary key,
  -- Which key of the configuration wraps it.
  key_id text not null,
  wrapped bytea not null
);
create index customer_keys_key_id on customer_keys (key_id);

-- Changes of a customer, once for one Idempotency-Key.
create table customer_changes (
  creator uuid not null,
  idempotency_key text not null,
  -- Of an update, keyed like that of the creation, and null like it.
  request_hash bytea,
  customer_id uuid not null,
  kind text not null check (kind in ('update', 'merge', 'erase')),
  -- The version that it led to, and when.
  version bigint not null,
  changed_at timestamptz not null,
  constraint customer_changes_request primary key (creator, idempotency_key)
);
create index customer_changes_customer on customer_changes (customer_id);

create table customer_consents (
  id uuid primary key,
  customer_id uuid not null,
  purpose text not null,
  status text not null check (status in ('granted', 'withdrawn')),
  source text not null,
  at timestamptz not null,
  recorded_at timestamptz not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  constraint customer_consents_request unique (creator, idempotency_key)
);
create index customer_consents_customer on customer_consents (customer_id, at, id);

create function customer_consents_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'consents are append-only';
end $$;
create trigger customer_consents_append_only before update or delete or truncate on customer_consents
  for each statement execute function customer_consents_refuse();

-- Who it is now, after however many merges.
create function customer_root(of_id uuid) returns uuid language sql stable as $$
  with recursive chain(id, next) as (
    select id, merged_into from customers where id = of_id
    union all
    select c.id, c.merged_into from chain join customers as c on c.id = chain.next
  )
  select id from chain where next is null
$$;

-- It, and everybody who is it now.
create function customer_family(root uuid) returns setof uuid language sql stable as $$
  with recursive family(id) as (
    select root
    union all
    select c.id from family join customers as c on c.merged_into = family.id
  )
  select id from family
$$;

-- A customer's wallets. Owner: core/wallet.
create index wallets_customer on wallets (customer_id, id) where customer_id is not null;
