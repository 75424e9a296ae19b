-- The catalog: what an item says beyond its first form, its stock, who owns it, and what is searched. Owner: core/giftcard.

alter table catalog_items
  -- null: the platform's.
  add column merchant_id uuid,
  add column kind text not null default 'gift_card' check (kind in ('gift_card', 'reward')),
  -- Amounts are fixed (denominations), or a range.
  add column range_min bigint,
  add column range_max bigint,
  add column range_step bigint check (range_step >= 1),
  add column validity_months int,
  add column countries text[] not null default '{}',
  add column categories text[] not null default '{}',
  add column images text[] not null default '{}',
  add column description text,
  -- null: any number.
  add column stock bigint check (stock >= 0),
  add column version bigint not null default 1,
  add column updated_at timestamptz not null default now(),
  drop constraint catalog_items_status_check,
  add constraint catalog_items_status_check check (status in ('draft', 'published', 'withdrawn')),
  alter column status drop default;
update catalog_items set updated_at = created_at;
alter table catalog_items
  -- What is sold everywhere is found by one look, too.
  add column sold_in text[] not null
    generated always as (case when countries = '{}' then array['*'] else countries end) stored,
  -- No stemming: brands and names are of no one language.
  add column words tsvector not null
    generated always as (to_tsvector('simple', name || ' ' || brand || ' ' || coalesce(description, ''))) stored,
  -- Every sale changes the row: room on its page keeps that out of the indexes.
  set (fillfactor = 70);

-- What everybody sees is found by these; ids are in the order of time.
create index catalog_items_published on catalog_items (id) where status = 'published';
create index catalog_items_brand on catalog_items (lower(brand), id) where status = 'published';
create index catalog_items_words on catalog_items using gin (words) where status = 'published';
create index catalog_items_categories on catalog_items using gin (categories) where status = 'published';
create index catalog_items_sold_in on catalog_items using gin (sold_in) where status = 'published';
create index catalog_items_owner
  on catalog_items (coalesce(merchant_id, '00000000-0000-0000-0000-000000000000'), id);

-- Every change, once for one Idempotency-Key, with the item as it was then: what a replay is answered with.
create table catalog_changes (
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  item_id uuid not null,
  kind text not null check (kind in ('update', 'publish', 'withdraw', 'stock')),
  item json not null,
  created_at timestamptz not null default now(),
  constraint catalog_changes_request primary key (creator, idempotency_key)
);

-- What was taken from the stock, once for one key of the module that took it. `count` 0: it was given back before it was
-- taken, and cannot be taken any more.
create table catalog_takes (
  key text primary key,
  item_id uuid not null,
  count bigint not null check (count >= 0),
  -- Whether the stock was counted at all then.
  counted boolean not null,
  status text not null check (status in ('taken', 'given_back')),
  created_at timestamptz not null default now()
);
