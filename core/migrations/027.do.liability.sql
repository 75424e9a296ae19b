-- What programs owe their customers, by UTC day. Owner: core/liability. Nobody else reads or writes these tables, but the audit.
--
-- The ledger's rows are summed along each writer's tail: `liability_cuts` says up to where, and moves with the sums in one
-- statement, so that each row is in them once. A row that was committed late is added to its own day.

create table liability_cuts (
  database_id smallint not null,
  writer_id smallint not null,
  -- Rows of the writer up to here are summed.
  seq bigint not null,
  -- All that the writer had committed before is summed; null: not yet.
  caught_up_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (database_id, writer_id)
) with (fillfactor = 10);

-- Sums of many amounts may pass 2^63. `issued` … `expired` are positive; the others have a sign. `merchant_id` and `unit` are
-- the program's, and never change; null: there is no such program.
create table liability_days (
  program_id uuid not null,
  day date not null,
  merchant_id uuid,
  unit text,
  issued numeric not null default 0,
  redeemed numeric not null default 0,
  expired numeric not null default 0,
  adjusted numeric not null default 0,
  transferred numeric not null default 0,
  -- Reversals of what was issued, redeemed, adjusted.
  reversed_issued numeric not null default 0,
  reversed_redeemed numeric not null default 0,
  reversed_adjusted numeric not null default 0,
  -- By how much what is owed grew on the day.
  net numeric not null generated always as (issued - redeemed - expired + adjusted + transferred
    + reversed_issued + reversed_redeemed + reversed_adjusted) stored,
  transactions bigint not null default 0,
  -- Those of them that were committed after the day was over, and all before had been summed.
  late_transactions bigint not null default 0,
  primary key (program_id, day)
);
create index liability_days_merchant on liability_days (merchant_id, day, program_id);
