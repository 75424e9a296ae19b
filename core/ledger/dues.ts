/** Which accounts have something due, by the index on its time: what is not due is never looked at. SQL only. */
import type { DueAccount } from '@local-plus/actors';
import type { AccountId, ProgramId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';

/** Written to milliseconds by the same function as the rows are, so that equal moments are equal. */
export const dueStatement = `
select account_id, program_id, (extract(epoch from due_at) * 1000)::bigint as due_ms from account_dues
where due_at <= to_timestamp($1::bigint / 1000.0::float8) order by due_at limit $2::int`;

/** As above, of some shards only (contracts, `shardOf`): the others' accounts are their owners' to visit. */
export const sharedDueStatement = `
select account_id, program_id, (extract(epoch from due_at) * 1000)::bigint as due_ms from account_dues
where due_at <= to_timestamp($1::bigint / 1000.0::float8)
  and get_byte(uuid_send(account_id), 15) = any ($3::text[]::int[])
order by due_at limit $2::int`;

interface Row {
  readonly account_id: AccountId;
  readonly program_id: ProgramId;
  readonly due_ms: number;
}

/**
 * The longest due first. Rejects with what {@link Database.read} does.
 *
 * @param shards only accounts of these; null: all
 */
export async function findDue(
  database: Pick<Database, 'read'>,
  nowMs: number,
  accountsMax: number,
  shards: readonly number[] | null = null,
): Promise<readonly DueAccount[]> {
  const bounds = [String(nowMs), String(accountsMax)];
  const rows =
    shards === null
      ? await database.read<Row>(dueStatement, bounds)
      : await database.read<Row>(sharedDueStatement, [...bounds, shards.map(String)]);
  return rows.map((row) => ({ accountId: row.account_id, programId: row.program_id, dueAtMs: row.due_ms }));
}
