-- Every kind of movement. Owner: core/ledger.

alter type transaction_kind add value 'freeze';
alter type transaction_kind add value 'unfreeze';

-- base_version: where restoring the account's state begins (null: this row says it all). detail: what the posting did
-- beyond its amount, as the text that was hashed. hash: this row's link of the account's chain (null: older rows).
-- Nothing moves in a freeze: its amount is 0.
alter table transactions
  add column base_version bigint,
  add column detail json,
  add column hash bytea,
  drop constraint transactions_amount_check,
  add constraint transactions_amount_check check (amount between 0 and 1000000000000);

-- Which part of a request of several (a transfer, a group) was refused, and the whole with it.
alter table refusals add column part smallint not null default 0;

-- The whole state of an account at a version, for those whose newest row does not say it all. Written with that row.
create table account_states (
  account_id uuid not null,
  version bigint not null,
  state json not null,
  primary key (account_id, version)
);

-- The earliest moment at which something of an account is due: a hold, or a lot. 'infinity': nothing any more.
create table account_dues (
  account_id uuid primary key,
  due_at timestamptz not null,
  program_id uuid not null
) with (fillfactor = 80);
create index account_dues_due_at on account_dues (due_at);

-- Filters of an account's history; the sweep of a day's rows for snapshots.
create index transactions_occurred_at on transactions using brin (occurred_at) with (pages_per_range = 32);

-- Each account that changed on a day, as it stood at the day's end (UTC).
create table balance_snapshots (
  day date not null,
  account_id uuid not null,
  version bigint not null,
  balance bigint not null,
  held bigint not null,
  hash bytea,
  primary key (day, account_id)
);

-- One root per day over all accounts: over the root before, and the day's snapshots in the order of their ids.
create table ledger_roots (
  day date primary key,
  accounts bigint not null,
  transactions bigint not null,
  root bytea not null,
  created_at timestamptz not null default now()
);
