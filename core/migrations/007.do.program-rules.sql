-- What a program asks of the ledger; the defaults are what it was before. Owner: core/merchant.

alter table programs
  add column point_expiry text,
  add column point_expiry_end_of_month boolean not null default false,
  add column reversal_policy text not null default 'refuse' check (reversal_policy in ('refuse', 'negative', 'recover')),
  add column reversal_negative_limit bigint check (reversal_negative_limit between 1 and 1000000000000),
  add column hold_expires_in_s integer not null default 604800 check (hold_expires_in_s between 1 and 2592000);
