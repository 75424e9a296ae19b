-- What the planner is told of the transactions, from a tenth of the usual sample. Owner: core/ledger. All that is asked of them goes
-- through a unique index, whatever the statistics say; and a ledger that is young grows by a fiftieth at every look of autovacuum,
-- where 30,000 sampled rows of twenty-one columns took 0.3 to 0.8 s of the processor each time.
alter table transactions
  alter column account_id set statistics 10,
  alter column version set statistics 10,
  alter column seq set statistics 10,
  alter column amount set statistics 10,
  alter column balance_delta set statistics 10,
  alter column balance_after set statistics 10,
  alter column held_after set statistics 10,
  alter column occurred_at set statistics 10,
  alter column contra_account_id set statistics 10,
  alter column program_id set statistics 10,
  alter column correlation_id set statistics 10,
  alter column kind set statistics 10,
  alter column request_hash set statistics 10,
  alter column idempotency_key set statistics 10,
  alter column reference set statistics 10,
  alter column metadata set statistics 10,
  alter column traceparent set statistics 10,
  alter column reversal_of set statistics 10,
  alter column base_version set statistics 10,
  alter column detail set statistics 10,
  alter column hash set statistics 10;

-- What autovacuum does with rows that never die, marking their pages, is spread over the time between two looks: in one go it took a
-- quarter of a processor for a second or two of every thirty.
alter table transactions set (autovacuum_vacuum_cost_limit = 100);
