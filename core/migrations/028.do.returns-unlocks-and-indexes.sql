-- Rewards: attempts to give points back without a gift card that the ledger has refused. The next one has a key of its own, and
-- waits until `open_since`, which is ahead then.
alter table reward_redemptions add column return_tries int not null default 0;

-- The requests that unlocked the PIN of a card: each does it once. Owner: core/giftcard/codes. `giftcard_codes.pin_unlock_key`,
-- which knew the last one only, is not read any more.
create table giftcard_pin_unlocks (
  card_id uuid not null,
  idempotency_key text not null,
  created_at timestamptz not null default now(),
  primary key (card_id, idempotency_key)
);
insert into giftcard_pin_unlocks (card_id, idempotency_key)
  select card_id, pin_unlock_key from giftcard_codes where pin_unlock_key is not null;

-- Redemptions of one reward, newest first.
create index reward_redemptions_reward on reward_redemptions (reward_id, id desc);

-- What counts for a merchant's bounds, however many jobs it has had: those under way, and those whose file is there.
create index giftcard_batches_counting on giftcard_batches (merchant_id) where file in ('pending', 'ready');
