-- Payments, their refunds, and the rates at which points pay. Owner: core/payments. Nobody else reads or writes these tables.
--
-- What moves stands in the ledger; here stands what was decided, before it moves. So a process that dies leaves a row that
-- says how to go on, and each movement has a key made of that row.

-- `points` points of the program pay `amount` of the currency's smallest unit, from `created_at` on until the next version of
-- the same currency; null: they pay nothing in it. Versions are added, never changed.
create table payment_rates (
  program_id uuid not null,
  version int not null check (version between 1 and 10000),
  currency text not null,
  points bigint check (points between 1 and 1000000000),
  amount bigint check (amount between 1 and 1000000000),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  primary key (program_id, version),
  constraint payment_rates_request unique (creator, idempotency_key),
  constraint payment_rates_whole check ((points is null) = (amount is null))
);
create index payment_rates_in_force on payment_rates (program_id, currency, version desc);

-- `row_version` is what two processes at one payment compare and set. `sources` has what each source was asked for, and what
-- has moved. `due_at`: when a sweep has to look after it; null: it is at rest. `answered`: where it first came to rest, which is
-- what the request that created it was answered.
create table payments (
  id uuid primary key,
  merchant_id uuid not null,
  status text not null
    check (status in ('holding', 'held', 'capturing', 'captured', 'releasing', 'failed', 'voided')),
  answered text check (answered in ('held', 'captured', 'failed')),
  row_version int not null default 1,
  amount bigint not null check (amount between 1 and 1000000000000),
  currency text not null,
  capture boolean not null,
  sources json not null,
  refund_order json not null,
  refunded_amount bigint not null default 0 check (refunded_amount between 0 and amount),
  failure json,
  reference text,
  expires_at timestamptz,
  due_at timestamptz,
  -- The Idempotency-Keys of the requests that captured and voided it: tell a repetition from another request.
  capture_key text,
  void_key text,
  request_id uuid not null,
  traceparent text,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint payments_request unique (creator, idempotency_key),
  constraint payments_rest check ((due_at is null) = (status in ('captured', 'failed', 'voided')))
);
create index payments_due_at on payments (due_at) where due_at is not null;
create index payments_merchant on payments (merchant_id, id);

-- What a pending refund gives back is counted in its payment already: two refunds cannot give back the same money.
create table payment_refunds (
  id uuid primary key,
  payment_id uuid not null,
  status text not null default 'pending' check (status in ('pending', 'succeeded', 'partial', 'failed')),
  amount bigint not null check (amount between 1 and 1000000000000),
  parts json not null,
  reason text,
  due_at timestamptz,
  request_id uuid not null,
  traceparent text,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint payment_refunds_request unique (creator, idempotency_key),
  constraint payment_refunds_rest check ((due_at is null) = (status <> 'pending'))
);
create index payment_refunds_due_at on payment_refunds (due_at) where due_at is not null;
create index payment_refunds_payment on payment_refunds (payment_id, id);
