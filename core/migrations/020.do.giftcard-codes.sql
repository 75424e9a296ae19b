-- The codes of gift cards and their PINs. Owner: core/giftcard/codes. Nobody else reads or writes this table, save that
-- whoever issues many cards writes their codes by a member of its own statement that this module gives it.
--
-- Neither code nor PIN can be read here: `code_hash` is an HMAC-SHA-256 over the merchant's id and the code, and `pin_hash` a
-- scrypt over an HMAC of the PIN, both under the key that is called `key_id` and stands in core's configuration only.
create table giftcard_codes (
  card_id uuid primary key,
  merchant_id uuid not null,
  key_id text not null,
  code_hash bytea not null check (length(code_hash) = 32),
  last_four text not null check (length(last_four) = 4),
  pin_salt bytea,
  pin_hash bytea,
  -- Tries since the last right one. A try is counted before it is looked at, so that tries at the same time are all counted.
  pin_tries int not null default 0,
  pin_locked_until timestamptz,
  -- The request that unlocked it last.
  pin_unlock_key text,
  created_at timestamptz not null default now(),
  -- Of the merchant by its hash, which nobody else's code can have.
  constraint giftcard_codes_code unique (code_hash),
  constraint giftcard_codes_pin check ((pin_salt is null) = (pin_hash is null))
);
-- Which keys are still needed.
create index giftcard_codes_keys on giftcard_codes (key_id);
