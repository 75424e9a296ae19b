-- The wallet module's table. Owner: core/wallet. Nobody else reads or writes it.
--
-- A wallet's balance is the ledger's. Merchant and unit are written down here with the wallet, because they never
-- change, and every earn needs them without asking the merchant module.

create table wallets (
  id uuid primary key,
  merchant_id uuid not null,
  program_id uuid not null,
  unit text not null,
  customer_id uuid,
  external_id text,
  status text not null default 'active' check (status in ('active', 'frozen', 'closed')),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint wallets_request unique (creator, idempotency_key)
);

create unique index wallets_external_id on wallets (program_id, external_id) where external_id is not null;
