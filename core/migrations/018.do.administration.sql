-- How merchants are administered: their states, configuration, members, and the life of their keys. Owner: core/merchant.

alter table merchants
  drop constraint merchants_status_check,
  add constraint merchants_status_check check (status in ('draft', 'submitted', 'active', 'suspended', 'closed'));

-- Every change of a merchant's state, from its creation on. The merchant's row has the state that holds.
create table merchant_transitions (
  id uuid primary key,
  merchant_id uuid not null,
  -- 1, 2, 3 … of the merchant.
  place int not null check (place >= 1),
  action text not null,
  from_status text not null,
  to_status text not null,
  reason text,
  -- Who: a key's id, a member's subject, or the operator.
  actor text not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  constraint merchant_transitions_place unique (merchant_id, place),
  constraint merchant_transitions_request unique (creator, idempotency_key)
);

-- Version 0 is what holds before any: it has no row. The newest version holds.
create table merchant_configurations (
  merchant_id uuid not null,
  version int not null check (version >= 1),
  configuration json not null,
  actor text not null,
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  primary key (merchant_id, version),
  constraint merchant_configurations_request unique (creator, idempotency_key)
);

-- Who acts for a merchant with a token: known by the token's subject, and by nothing else of theirs.
create table merchant_members (
  id uuid primary key,
  merchant_id uuid not null,
  subject text not null,
  role text not null check (role in ('owner', 'manager', 'cashier', 'analyst', 'auditor')),
  creator uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  removed_at timestamptz,
  constraint merchant_members_request unique (creator, idempotency_key)
);
create unique index merchant_members_subject on merchant_members (merchant_id, subject) where removed_at is null;
create index merchant_members_page on merchant_members (merchant_id, id);

alter table merchant_changes
  drop constraint merchant_changes_kind_check,
  add constraint merchant_changes_kind_check
    check (kind in ('plan', 'allowed_origins', 'member_role', 'member_removal'));

alter table api_keys
  -- From then on it is refused; null: it lasts until it is revoked.
  add column expires_at timestamptz,
  -- The key that this one takes the place of.
  add column rotated_from uuid,
  -- To the minute, and a little later.
  add column last_used_at timestamptz;
create index api_keys_page on api_keys (merchant_id, id);

-- The outbox. Owner: core/outbox. Places grow in the order in which rows are written; what is published is marked, and
-- removed after a while.
create sequence outbox_places;
alter table outbox
  add column place bigint not null default nextval('outbox_places'),
  add column published_at timestamptz,
  -- What does not fit into a message must fail where it is written, and not stop what stands behind it.
  add constraint outbox_payload_size check (octet_length(payload::text) <= 65536);
alter sequence outbox_places owned by outbox.place;
create unique index outbox_waiting on outbox (place) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

-- What auditors ask for. Owner of the table: core/audit.
create index audit_entries_action on audit_entries (trail, (entry ->> 'action'), place);
create index audit_entries_target on audit_entries (trail, (entry #>> '{target,id}'), place);
create index audit_entries_time on audit_entries (trail, (entry ->> 'at'));
