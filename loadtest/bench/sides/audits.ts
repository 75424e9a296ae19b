/**
 * Whether a side's ledger is right: a bench of a wrong one is worthless. Each question returns the accounts that
 * contradict it; nothing may come back.
 */
import type postgres from 'postgres';

/** Of the classic schema: balances, versions, entries, outbox. */
const classicQuestions: Readonly<Record<string, string>> = {
  'a balance is not the sum of its entries': `
    select a.id::text as what from accounts as a
    left join (select account_id, sum(amount) as total from entries group by account_id) as e on e.account_id = a.id
    where a.balance <> coalesce(e.total, 0) limit 5`,
  'a version is not the number of transactions': `
    select a.id::text as what from accounts as a
    left join (select account_id, count(*) as n, max(version) as newest from transactions group by account_id) as t
      on t.account_id = a.id
    where a.version <> coalesce(t.n, 0) or a.version <> coalesce(t.newest, 0) limit 5`,
  'the entries do not sum to zero': 'select sum(amount)::text as what from entries having sum(amount) <> 0',
  'there are not two entries and one event per transaction': `
    select concat_ws(', ', t.n, e.n, o.n) as what from (select count(*) as n from transactions) as t,
      (select count(*) as n from entries) as e, (select count(*) as n from outbox) as o
    where e.n <> 2 * t.n or o.n <> t.n`,
};

/** Of our schema: the row is the transfer and the balance after it. */
const ledgerQuestions: Readonly<Record<string, string>> = {
  'a balance is not the sum of its rows': `
    select account_id::text as what from transactions group by account_id
    having sum(balance_delta) <> (array_agg(balance_after order by version desc))[1] limit 5`,
  'versions have a gap': `
    select account_id::text as what from transactions group by account_id
    having count(*) <> max(version) or min(version) <> 1 limit 5`,
};

export const auditClassic = (sql: postgres.Sql): Promise<string[]> => audit(sql, classicQuestions);
export const auditLedger = (sql: postgres.Sql): Promise<string[]> => audit(sql, ledgerQuestions);

async function audit(sql: postgres.Sql, questions: Readonly<Record<string, string>>): Promise<string[]> {
  const faults: string[] = [];
  for (const [fault, question] of Object.entries(questions)) {
    const rows = await sql.unsafe<{ what: string }[]>(question);
    if (rows.length > 0) faults.push(`${fault}: ${rows.map(({ what }) => what).join('; ')}`);
  }
  return faults;
}

export async function countTransactions(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int as count from transactions`;
  return row?.count ?? 0;
}

/** Those of our schema that the side's own writer made, not a fill beside it (growth/fill.ts). */
export async function countWritten(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from transactions where seq >= 1::bigint << 53 and seq < 2::bigint << 53`;
  return row?.count ?? 0;
}

/** Sessions of this database, our own aside, that are in a statement or a transaction. */
export async function countBusy(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' and state <> 'idle'`;
  return row?.count ?? 0;
}

export async function countBatches(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select coalesce(sum(batch), 0)::float8 as count from writers`;
  return row?.count ?? 0;
}
