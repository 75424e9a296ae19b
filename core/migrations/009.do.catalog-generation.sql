-- Which generation of the catalog is the current one. Owner: core/giftcard. Moved by the statement that changes an item,
-- so that both become visible together: never back, and past every earlier one even after a restore, by the clock.

create table catalog_generation (
  is_only boolean primary key default true check (is_only),
  generation bigint not null
);
insert into catalog_generation (generation) values ((extract(epoch from clock_timestamp()) * 1000)::bigint);
