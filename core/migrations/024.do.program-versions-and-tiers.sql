-- Programs change what they ask of the ledger by versions. Owner: core/program. The first version is the program's own row, and
-- has its id; a further one never changes, and is in force from `effective_from` until that of a later moment.
create table program_versions (
  id uuid primary key,
  program_id uuid not null,
  version int not null check (version between 2 and 1000),
  effective_from timestamptz not null,
  point_expiry text,
  point_expiry_end_of_month boolean not null,
  reversal_policy text not null check (reversal_policy in ('refuse', 'negative', 'recover')),
  reversal_negative_limit bigint check (reversal_negative_limit between 1 and 1000000000000),
  hold_expires_in_s integer not null check (hold_expires_in_s between 1 and 2592000),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint program_versions_request unique (creator, idempotency_key),
  constraint program_versions_version unique (program_id, version)
);
create index program_versions_in_force on program_versions (program_id, effective_from desc, version desc);

-- Tiers. Owner: core/tiers. What a wallet earned is the ledger's; here stands what was made of its rows, up to which version.

-- Versions of a program's tiers, 1, 2, 3 …; the newest holds.
create table tier_schemes (
  program_id uuid not null,
  version int not null check (version between 1 and 1000),
  window_period text not null check (window_period in ('days', 'months')),
  window_count int not null check (window_count between 1 and 731),
  grace_days int not null check (grace_days between 0 and 366),
  tiers json not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  primary key (program_id, version),
  constraint tier_schemes_request unique (creator, idempotency_key)
);

-- Programs with tiers, and what is still to be done for those wallets that are not met by following the ledger.
create table tier_programs (
  program_id uuid primary key,
  -- The newest scheme, and the one by which every wallet that has a row was looked at.
  version int not null,
  applied_version int not null default 0,
  -- Wallets that had earned before there were tiers: those up to this one were looked at; null with done: all were.
  walked_to uuid,
  is_walked boolean not null default false
);

-- `days`: what was earned on each day and not reversed, [day, points], days since 1970-01-01. `version`: of the account.
create table wallet_tiers (
  account_id uuid primary key,
  program_id uuid not null,
  scheme_version int not null,
  version bigint not null,
  -- The day as of which the tier is.
  day int not null,
  days json not null,
  tier text,
  since timestamptz,
  -- The day on which it falls if nothing is earned.
  due_day int,
  changes int not null
) with (fillfactor = 80);
create index wallet_tiers_due on wallet_tiers (due_day) where due_day is not null;
create index wallet_tiers_scheme on wallet_tiers (program_id, scheme_version);

create table tier_changes (
  account_id uuid not null,
  place int not null,
  from_tier text,
  to_tier text,
  direction text not null check (direction in ('promotion', 'demotion')),
  cause text not null,
  points bigint not null,
  scheme_version int not null,
  at timestamptz not null,
  primary key (account_id, place)
);

-- Which process follows the ledger. Time paces; the epoch fences: who writes locks the row, and whoever takes over raises it.
create table tier_follower (
  is_only boolean primary key default true check (is_only),
  holder uuid,
  epoch bigint not null default 0,
  until timestamptz not null default '-infinity'
);
insert into tier_follower default values;

-- Up to which row the ledger was followed, per database and writer.
create table tier_progress (
  database_id smallint not null,
  writer_id smallint not null,
  seq bigint not null,
  primary key (database_id, writer_id)
);

-- The wallets of a program, in the order of their ids. Owner of the table: core/wallet.
create index wallets_program on wallets (program_id, id);
