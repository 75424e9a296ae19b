/** Which accounts have something due, by the index on its time: what is not due is never looked at. SQL only. */
import type { DueAccount } from '@local-plus/actors';
import type { AccountId, ProgramId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';

/** Written to milliseconds by the same function as the rows are, so that equal moments are equal. */
export const dueStatement = `
select account_id, program_id, (extract(epoch from due_at) * 1000)::bigint as due_ms from account_dues
where due_at <= to_timestamp($1::bigint / 1000.0::float8) order by due_at limit $2::int`;

interface Row {
  readonly account_id: AccountId;
  readonly program_id: ProgramId;
  readonly due_ms: number;
}

/** The longest due first. Rejects with what {@link Database.read} does. */
export async function findDue(
  database: Pick<Database, 'read'>,
  nowMs: number,
  accountsMax: number,
): Promise<readonly DueAccount[]> {
  const rows = await database.read<Row>(dueStatement, [String(nowMs), String(accountsMax)]);
  return rows.map((row) => ({ accountId: row.account_id, programId: row.program_id, dueAtMs: row.due_ms }));
}
