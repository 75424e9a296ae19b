-- Gift cards, and what was done with them beside their movements. Owner: core/giftcard/cards. Nobody else reads or writes these.
--
-- A card is an account: its balance, what is held and whether it is blocked are the ledger's. What is shown as its state is
-- made of both.
create table giftcards (
  -- The account's id.
  id uuid primary key,
  merchant_id uuid not null,
  program_id uuid not null,
  unit text not null,
  initial_amount bigint not null check (initial_amount between 0 and 1000000000000),
  -- As written: `expired` a moment after `expires_at`, which is what counts.
  status text not null default 'pending' check (status in ('pending', 'active', 'expired', 'deactivated')),
  catalog_item_id uuid,
  batch_id uuid,
  customer_id uuid,
  external_id text,
  last_four text check (length(last_four) = 4),
  has_pin boolean not null default false,
  expires_on date,
  -- The end of that day for the merchant, when the card was issued.
  expires_at timestamptz,
  replaces uuid,
  replaced_by uuid,
  activated_at timestamptz,
  deactivated_at timestamptz,
  -- When somebody has to look whether its time is over, or at what is left of one that is expired or deactivated.
  settle_at timestamptz,
  -- When to say that it expires soon.
  notice_at timestamptz,
  created_at timestamptz not null default now(),
  constraint giftcards_expiry check ((expires_on is null) = (expires_at is null))
);
create index giftcards_merchant on giftcards (merchant_id, id);
create index giftcards_customer on giftcards (customer_id, id) where customer_id is not null;
create unique index giftcards_external on giftcards (merchant_id, external_id) where external_id is not null;
create index giftcards_settle on giftcards (settle_at) where settle_at is not null;
create index giftcards_notice on giftcards (notice_at) where notice_at is not null;

-- What changes a card's row, and perhaps its account: first written as `open`, then posted under keys that are made of the row's
-- id, then closed. Whoever dies in between, the sweep goes on; at most one of a card is open.
create table giftcard_activities (
  -- A UUIDv7 of the time of the request.
  id uuid primary key,
  card_id uuid not null,
  merchant_id uuid not null,
  activity text not null,
  status text not null check (status in ('open', 'done', 'refused')),
  -- Null: nobody asked for it by a key of its own.
  creator uuid,
  idempotency_key text,
  request_hash bytea,
  request_id uuid not null,
  traceparent text,
  -- Of an issue: the card is activated with it.
  activates boolean not null default false,
  reason text,
  -- Of a replacement: the new card.
  related_card_id uuid,
  customer_id uuid,
  -- Of one that the ledger refused: why.
  problem text,
  -- What of it is in the ledger, where that is one transaction.
  transaction_id uuid,
  amount bigint not null default 0,
  balance_after bigint,
  held_after bigint,
  created_at timestamptz not null,
  constraint giftcard_activities_key unique (creator, idempotency_key),
  constraint giftcard_activities_asked check ((creator is null) = (idempotency_key is null))
);
create unique index giftcard_activities_open on giftcard_activities (card_id) where status = 'open';
create index giftcard_activities_open_since on giftcard_activities (created_at) where status = 'open';
create index giftcard_activities_beginnings on giftcard_activities (card_id) where activity in ('issue', 'import');
-- A card's history, without what the ledger tells.
create index giftcard_activities_told on giftcard_activities (card_id, id) where status = 'done' and transaction_id is null;
