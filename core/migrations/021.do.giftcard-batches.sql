-- Bulk issue of gift cards. Owner: core/giftcard/batches. Nobody else reads or writes these tables.

-- A job. `drawn` cards have codes; of those `issued` are there and `failed` were refused; the difference is the chunk that is
-- under way. Who works on it has raised `lease_epoch`, and writes only while it is still its own; `lease_until` says when
-- others may try.
create table giftcard_batches (
  id uuid primary key,
  merchant_id uuid not null,
  program_id uuid not null,
  catalog_item_id uuid,
  cards_count int not null check (cards_count between 1 and 100000),
  amount bigint not null check (amount > 0),
  expires_on text,
  has_pin boolean not null,
  activate boolean not null,
  public_key json not null,
  request_id uuid not null,
  traceparent text,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'cancelling', 'cancelled', 'failed', 'done')),
  drawn int not null default 0,
  issued int not null default 0,
  failed int not null default 0,
  failure text,
  file text not null default 'pending' check (file in ('pending', 'ready', 'delivered', 'expired', 'none')),
  file_expires_at timestamptz,
  confirmation_key text,
  confirmation_lines int,
  cancellation_key text,
  lease_epoch bigint not null default 0,
  lease_until timestamptz,
  worked_at timestamptz not null default now(),
  ended_at timestamptz,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint giftcard_batches_request unique (creator, idempotency_key),
  constraint giftcard_batches_progress check (issued >= 0 and failed >= 0 and issued + failed <= drawn and drawn <= cards_count),
  constraint giftcard_batches_end check ((ended_at is not null) = (status in ('cancelled', 'failed', 'done'))),
  constraint giftcard_batches_file check ((file = 'pending') = (ended_at is null))
);
create index giftcard_batches_merchant on giftcard_batches (merchant_id, id desc);
-- What is to be worked on, what has waited longest first.
create index giftcard_batches_open on giftcard_batches (worked_at) where status in ('queued', 'running', 'cancelling');
create index giftcard_batches_files on giftcard_batches (file_expires_at) where file = 'ready';

-- The encrypted codes of a chunk: the cards from `place` on, a line each. Only the holder of the job's private key can read them.
create table giftcard_batch_chunks (
  batch_id uuid not null,
  place int not null,
  lines_count int not null,
  -- With an end of line each.
  lines text not null,
  primary key (batch_id, place)
);
-- Ciphertext does not compress.
alter table giftcard_batch_chunks alter column lines set storage external;
