-- Transfers across lanes that have left an account, and have neither reached the other one nor come back. Owner: core/ledger.
-- A row says only which departure is open, and since when: all that is needed to go on stands in the departure's own row of
-- `transactions`, which is hashed, so that there is no second copy to differ from it. Rows are deleted when the end is known.
create table open_transfers (
  account_id uuid not null,
  version bigint not null,
  opened_at timestamptz not null default now(),
  primary key (account_id, version)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index open_transfers_opened_at on open_transfers (opened_at);
