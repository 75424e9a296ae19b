-- Owner: core/customer. In which order consents were recorded: of two of one moment the later holds. A number is taken while the
-- customer's row is locked, and a merge locks both rows, so that the order is true of everybody who is one customer now.
alter table customer_consents add column place bigint generated always as identity;
drop index customer_consents_customer;
create index customer_consents_customer on customer_consents (customer_id, at, place);

-- Owner: core/identity. The next place, or null when so many revocations are in force already. The lock is held until the commit;
-- a volatile function's query has a snapshot of its own, taken after the lock, so that nobody is counted twice or missed.
create index revocations_expires_at on revocations (expires_at);
create function revocation_place(in_force_max int) returns bigint
language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(7077008);
  if (select count(*) from (select from revocations where expires_at > now() limit in_force_max) as held) >= in_force_max then
    return null;
  end if;
  return nextval('revocation_places');
end $$;
