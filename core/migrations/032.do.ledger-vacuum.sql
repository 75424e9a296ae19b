-- What is vacuumed is what came since the last time, however large the ledger is: with its pages their block ranges are summarised
-- (transactions_occurred_at), in one go and past every cost limit. Of a tenth of the ledger that took half a processor for
-- more than a second, once a minute, and would take the longer the larger it is. Owner: core/ledger.
alter table transactions set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
