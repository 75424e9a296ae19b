-- The audit trail: every administrative change, in a chain of hashes per merchant, and one of the operator's own (the nil
-- UUID). Owner: core/audit. Entries are added, never changed or deleted.

create table audit_entries (
  trail uuid not null,
  -- 1, 2, 3 … without gaps.
  place bigint not null,
  -- As it was hashed: json keeps the text.
  entry json not null,
  -- SHA-256 over the hash before (the first: over the trail's id) and the entry's text.
  hash bytea not null,
  primary key (trail, place)
);

-- The next place of a trail, and its link. The lock is held until the commit, so that whoever waits for it reads the place that
-- was taken; a volatile function's query has a snapshot of its own, taken after the lock.
create function audit_link(of_trail uuid, entry text, out place bigint, out hash bytea)
language plpgsql volatile as $$
declare
  last_place bigint;
  last_hash bytea;
begin
  perform pg_advisory_xact_lock(hashtextextended(of_trail::text, 17));
  select a.place, a.hash into last_place, last_hash
    from audit_entries as a where a.trail = of_trail order by a.place desc limit 1;
  place := coalesce(last_place, 0) + 1;
  hash := sha256(coalesce(last_hash, decode(replace(of_trail::text, '-', ''), 'hex')) || convert_to(entry, 'UTF8'));
end $$;

create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append-only';
end $$;
create trigger audit_entries_append_only before update or delete or truncate on audit_entries
  for each statement execute function audit_refuse();
