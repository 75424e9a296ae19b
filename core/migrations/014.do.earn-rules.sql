-- Earn rules. Owner: core/rules. Nobody else reads or writes these tables.
--
-- What is given under caps is not counted here but in the ledger's rows, where it is decided.

-- A version of a program's rules. Published, it never changes; in force is the published one with the latest `effective_from`
-- that has come. `publication_key` and `publication_hash` tell a repetition of the request that published it from another.
create table rule_versions (
  id uuid primary key,
  program_id uuid not null,
  version int not null check (version between 1 and 10000),
  name text,
  status text not null default 'draft' check (status in ('draft', 'published')),
  time_zone text not null,
  caps json not null,
  rules_count int not null check (rules_count between 0 and 10000),
  -- Rules with caps that outlive a purchase.
  capped_count int not null check (capped_count between 0 and 400),
  effective_from timestamptz,
  published_at timestamptz,
  publication_key text,
  publication_hash bytea,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint rule_versions_request unique (creator, idempotency_key),
  constraint rule_versions_version unique (program_id, version),
  constraint rule_versions_published check ((status = 'published') = (effective_from is not null))
);
create index rule_versions_in_force on rule_versions (program_id, effective_from desc, version desc)
  where status = 'published';

-- `place` is the order in which rules were added, from 0, without gaps.
create table earn_rules (
  version_id uuid not null,
  place int not null,
  rule_id text not null,
  rule json not null,
  primary key (version_id, place),
  constraint earn_rules_rule_id unique (version_id, rule_id)
);

-- Each request that added rules to a draft, and how many there were then.
create table rule_additions (
  version_id uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  rules_count int not null,
  primary key (version_id, idempotency_key)
);
