/** What the rows do not show by themselves: the view of entries, keys with two outcomes, stray checkpoints. By pages. */
import type { Database } from '../platform/postgres/index.ts';
import type { Findings } from './findings.ts';
import { noAccount } from './snapshots.ts';

/** Of the next places in the ledger: how many, the last of them, what their entries sum to, and the first that is wrong. */
const entriesStatement = `
with page as (
  select max(seq) as last, count(*) as rows
  from (select seq from transactions where seq > $1::text::bigint order by seq limit $2::int) as t
), legs as (
  select e.seq, count(*) as legs, sum(e.amount) as amount
  from ledger_entries as e, page where e.seq > $1::text::bigint and e.seq <= page.last group by e.seq
), wrong as (
  select seq, legs, amount from legs where legs <> 2 or amount <> 0 order by seq limit 1
)
select page.last::text as last, page.rows, (select coalesce(sum(amount), 0) from legs)::text as sum,
  (select count(*) from legs where legs <> 2 or amount <> 0) as "wrongCount",
  t.account_id as "accountId", t.version, wrong.legs, wrong.amount::text as amount
from page left join wrong on true left join transactions as t on t.seq = wrong.seq`;

const keysStatement = `
select r.account_id as "accountId", r.idempotency_key as key, t.version
from (
  select account_id, idempotency_key from refusals
  where (account_id, idempotency_key) > ($1::uuid, $2::text) and ($4::text = '' or account_id = $1::uuid)
  order by account_id, idempotency_key limit $3::int
) as r left join transactions as t on t.account_id = r.account_id and t.idempotency_key = r.idempotency_key
order by r.account_id, r.idempotency_key`;

const checkpointsStatement = `
select s.account_id as "accountId", s.version, t.version is not null as "isThere"
from (
  select account_id, version from account_states
  where (account_id, version) > ($1::uuid, $2::bigint) and ($4::text = '' or account_id = $1::uuid)
  order by account_id, version limit $3::int
) as s left join transactions as t on t.account_id = s.account_id and t.version = s.version
order by s.account_id, s.version`;

interface EntriesPage {
  readonly last: string | null;
  readonly rows: number;
  readonly sum: string;
  readonly wrongCount: number;
  readonly accountId: string | null;
  readonly version: number | null;
  readonly legs: number | null;
  readonly amount: string | null;
}

interface KeyRow {
  readonly accountId: string;
  readonly key: string;
  /** Of the transaction with the same key; null: there is none. */
  readonly version: number | null;
}

interface CheckpointRow {
  readonly accountId: string;
  readonly version: number;
  readonly isThere: boolean;
}

/** I1, of the view that others read. */
export async function checkEntries(
  database: Pick<Database, 'read'>,
  findings: Findings,
  pageRows: number,
  progress: (rows: number) => void,
): Promise<void> {
  let after = '-9223372036854775808';
  let total = 0n;
  for (;;) {
    const [page] = await database.read<EntriesPage>(entriesStatement, [after, pageRows]);
    if (page === undefined || page.last === null) break;
    after = page.last;
    total += BigInt(page.sum);
    findings.looked('total', page.rows * 2);
    progress(page.rows);
    if (page.wrongCount > 0) {
      const place = { accountId: page.accountId ?? '', version: page.version ?? 0 };
      const compared = { expected: '2 that sum to 0', found: `${page.legs} that sum to ${page.amount}` };
      findings.wrong('entries', place, 'its entries', compared);
    }
    if (page.rows < pageRows) break;
  }
  if (total !== 0n) findings.wrong('total', {}, 'the sum of all entries', { expected: 0, found: total });
}

/** I3: what was refused was not posted. */
export async function checkKeys(
  database: Pick<Database, 'read'>,
  findings: Findings,
  accountId: string | null,
  pageRows: number,
): Promise<void> {
  findings.looked('keys', 0);
  let after = { accountId: accountId ?? noAccount, key: '' };
  for (;;) {
    const page = await database.read<KeyRow>(keysStatement, [after.accountId, after.key, pageRows, accountId ?? '']);
    findings.looked('keys', page.length);
    for (const { accountId: account, key, version } of page) {
      if (version === null) continue;
      findings.wrong('keys', { accountId: account, version }, `has the key of a refusal, ${JSON.stringify(key)}`);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return;
    after = last;
  }
}

/** A checkpoint of a row that is not there would stand in the way of the row that is to come. */
export async function checkStrayCheckpoints(
  database: Pick<Database, 'read'>,
  findings: Findings,
  accountId: string | null,
  pageRows: number,
): Promise<void> {
  let after = { accountId: accountId ?? noAccount, version: 0 };
  for (;;) {
    const parameters = [after.accountId, after.version, pageRows, accountId ?? ''];
    const page = await database.read<CheckpointRow>(checkpointsStatement, parameters);
    for (const { accountId: account, version, isThere } of page) {
      if (!isThere) findings.wrong('restore', { accountId: account, version }, 'is a checkpoint without a transaction');
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return;
    after = last;
  }
}
