-- Rewards, and their redemptions. Owner: core/rewards. Nobody else reads or writes these tables.
--
-- The points are the ledger's; here stands what is intended before they move, and what became of it.

-- What it gives and costs never changes; its status and its stock do. null: any number, at any time.
create table rewards (
  id uuid primary key,
  merchant_id uuid not null,
  program_id uuid not null,
  name text not null,
  description text,
  gives json not null,
  points bigint not null check (points between 1 and 1000000000000),
  stock bigint check (stock >= 0),
  stock_left bigint check (stock_left between 0 and stock),
  limits json not null,
  tiers json,
  valid_from timestamptz,
  valid_until timestamptz,
  status text not null default 'draft' check (status in ('draft', 'published', 'withdrawn')),
  published_at timestamptz,
  withdrawn_at timestamptz,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint rewards_request unique (creator, idempotency_key),
  constraint rewards_stock check ((stock is null) = (stock_left is null))
);
create index rewards_program on rewards (program_id, id desc);

-- Each change of a reward, by its request, and what that was answered.
create table reward_changes (
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  reward_id uuid not null,
  kind text not null check (kind in ('publish', 'withdraw', 'stock')),
  answer json not null,
  created_at timestamptz not null default now(),
  primary key (creator, idempotency_key)
);

-- `gives`, `points`: the reward's, as they were. `open_since`: when a step of it was begun whose end is not known yet; null: it
-- is at rest.
create table reward_redemptions (
  id uuid primary key,
  reward_id uuid not null,
  merchant_id uuid not null,
  program_id uuid not null,
  wallet_id uuid not null,
  customer_id uuid,
  name text not null,
  gives json not null,
  points bigint not null check (points between 1 and 1000000000000),
  status text not null
    check (status in ('pending', 'burned', 'completed', 'returning', 'refused', 'cancelling', 'cancelled')),
  code text,
  giftcard_id uuid,
  transaction_id uuid,
  refusal json,
  -- Attempts to cancel it.
  cancels int not null default 0,
  correlation_id uuid not null,
  traceparent text,
  open_since timestamptz,
  completed_at timestamptz,
  cancelled_at timestamptz,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint reward_redemptions_request unique (creator, idempotency_key)
);
create index reward_redemptions_open on reward_redemptions (open_since) where open_since is not null;
create index reward_redemptions_program on reward_redemptions (program_id, id desc);
create index reward_redemptions_code on reward_redemptions (program_id, code) where code is not null;
create index reward_redemptions_wallet on reward_redemptions (wallet_id, id desc);
-- What is counted for a limit.
create index reward_redemptions_of_wallet on reward_redemptions (reward_id, wallet_id, created_at)
  where status not in ('refused', 'cancelled');
create index reward_redemptions_of_customer on reward_redemptions (reward_id, customer_id, created_at)
  where customer_id is not null and status not in ('refused', 'cancelled');

-- `refusal`: the ledger did not take the points back; null: it did, or has not answered yet.
create table reward_cancellations (
  redemption_id uuid not null,
  attempt int not null,
  reason text,
  refusal json,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  primary key (redemption_id, attempt),
  constraint reward_cancellations_request unique (creator, idempotency_key)
);

-- Takes one of a reward for a wallet, and writes down that it is intended: all, or nothing and why. The reward's row is locked
-- first, so that redemptions of one reward go one after the other; each query of a volatile function sees what was committed
-- before it, so that what is counted here is counted exactly.
create function reward_take(wanted json) returns text language plpgsql volatile as $$
declare
  r rewards;
  w reward_redemptions;
  bound record;
  taken bigint;
begin
  w := json_populate_record(null::reward_redemptions, wanted);
  select * into r from rewards where id = w.reward_id for update;
  if exists (
    select from reward_redemptions where creator = w.creator and idempotency_key = w.idempotency_key
  ) then return 'known'; end if;
  if r.status <> 'published' or now() < r.valid_from or now() >= r.valid_until then return 'reward_not_available'; end if;
  if r.stock_left = 0 then return 'out_of_stock'; end if;
  for bound in select * from json_to_recordset(r.limits) as each(per text, count bigint, of text) loop
    select count(*) into taken from reward_redemptions as t
      where t.reward_id = r.id and t.status not in ('refused', 'cancelled')
        and case bound.of when 'wallet' then t.wallet_id = w.wallet_id else t.customer_id = w.customer_id end
        and (bound.per = 'ever' or t.created_at >= date_trunc(bound.per, now(), 'UTC'));
    if taken >= bound.count then return 'reward_limit_reached'; end if;
  end loop;
  update rewards set stock_left = stock_left - 1 where id = r.id and stock_left is not null;
  insert into reward_redemptions (id, reward_id, merchant_id, program_id, wallet_id, customer_id, name, gives, points, status,
    code, giftcard_id, correlation_id, traceparent, open_since, creator, idempotency_key, request_hash)
  values (w.id, r.id, r.merchant_id, r.program_id, w.wallet_id, w.customer_id, r.name, r.gives, r.points, 'pending',
    w.code, w.giftcard_id, w.correlation_id, w.traceparent, now(), w.creator, w.idempotency_key, w.request_hash);
  return 'taken';
end $$;
