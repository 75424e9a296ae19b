/**
 * Closing one UTC day: a snapshot of each account that changed, and the root over them. SQL only.
 *
 * Two steps, each one statement that can be sent again, by anybody, without a change:
 *
 * - C1 *claim*: the day's row of `ledger_roots`, with an empty root, and all of its snapshots, in one statement; the row's
 *   key decides between two processes, and the snapshots hang on it. From then on the day's lines are fixed.
 * - C2 *seal*: the root is computed from those lines, page by page, and put where it is still empty. Whoever computes it,
 *   it is the same one.
 *
 * C3 *late rows*. A row's time is decided before its commit, and may lie minutes before it when the database was away: so
 * the claim of a day also takes the rows of the day before that the snapshot of that day does not have. A row that comes
 * up to a day after its day was closed is under the next root. Such a row is why the snapshot of a day can be older
 * than the account's newest row of that day.
 *
 * C4 every day has a root from the first transaction on, also a day on which nothing happened: a missing day is a
 * missing row.
 */
import type { Database } from '../platform/postgres/index.ts';
import { type DayText, dayAfter, RootDigest, type SnapshotLine } from './root.ts';

/**
 * The rows of two days that the snapshots do not have; block ranges on `occurred_at` bound what is read. The database's
 * clock has its say, so that a process whose clock is ahead closes nothing early.
 */
const claimStatement = `
with newest as (
  select t.account_id, max(t.version) as version, count(*) as transactions
  from transactions as t left join balance_snapshots as p on p.day = $1::text::date - 1 and p.account_id = t.account_id
  where t.occurred_at >= $2::timestamptz and t.occurred_at < $3::timestamptz
    and (p.version is null or t.version > p.version)
  group by t.account_id
), claimed as (
  insert into ledger_roots (day, accounts, transactions, root)
  select $1::text::date, count(*), coalesce(sum(transactions), 0), '' from newest having $4::timestamptz <= now()
  on conflict (day) do nothing
  returning day
), snapshots as (
  insert into balance_snapshots (day, account_id, version, balance, held, hash)
  select c.day, t.account_id, t.version, t.balance_after, t.held_after, t.hash
  from claimed as c, newest as n join transactions as t on t.account_id = n.account_id and t.version = n.version
)
select day from claimed`;

/** Each writer's first row, by one index probe per writer; its day, or the one before, is the ledger's first. */
const firstDayStatement = `
with recursive first(seq) as (
  select min(seq) from transactions
  union all
  select (select min(seq) from transactions where seq >= ((first.seq >> 53) + 1) << 53)
  from first where first.seq < 1023::bigint << 53
)
select (min(t.occurred_at) at time zone 'UTC')::date::text as day
from first join transactions as t on t.seq = first.seq`;

const newestStatement = `
select r.day::text as day, encode(r.root, 'hex') as root, r.accounts, r.transactions, encode(p.root, 'hex') as previous
from ledger_roots as r left join ledger_roots as p on p.day = r.day - 1
order by r.day desc limit 1`;

const linesStatement = `
select account_id as "accountId", version, balance, held, encode(hash, 'hex') as hash
from balance_snapshots where day = $1::text::date and account_id > $2::uuid order by account_id limit $3::int`;

const sealStatement = `update ledger_roots set root = decode($2::text, 'hex') where day = $1::text::date and root = ''`;

/** Sorts before every account's id. */
export const noAccount = '00000000-0000-0000-0000-000000000000';

/** The newest row of `ledger_roots`. */
export interface NewestDay {
  readonly day: DayText;
  /** Lower-case hex; empty: claimed, not sealed yet. */
  readonly root: string;
  readonly previous: string | null;
  readonly accounts: number;
  readonly transactions: number;
}

export interface ClosedDay {
  readonly day: DayText;
  readonly root: string;
  readonly accounts: number;
  readonly transactions: number;
}

export class Snapshots {
  readonly #database: Pick<Database, 'read' | 'write'>;
  readonly #pageRows: number;

  constructor(database: Pick<Database, 'read' | 'write'>, pageRows: number) {
    this.#database = database;
    this.#pageRows = pageRows;
  }

  async newest(): Promise<NewestDay | null> {
    return (await this.#database.read<NewestDay>(newestStatement))[0] ?? null;
  }

  /** The day of the first transaction; null: there is none. Rows of the day before come with it as late ones (C3). */
  async firstDay(): Promise<DayText | null> {
    return (await this.#database.read<{ day: DayText | null }>(firstDayStatement))[0]?.day ?? null;
  }

  /**
   * C1. Days are claimed in their order, each after the one before was sealed.
   *
   * @param graceMs how long after its end; by the database's clock
   * @returns whether it was claimed now; otherwise it was before, or is not over
   */
  async claim(day: DayText, graceMs: number): Promise<boolean> {
    const [from, to] = [startOf(dayAfter(day, -1)), startOf(dayAfter(day))];
    const closable = new Date(Date.parse(to) + graceMs).toISOString();
    return (await this.#database.write(claimStatement, [day, from, to, closable])).length === 1;
  }

  /** C2. */
  async seal(claimed: NewestDay): Promise<ClosedDay> {
    const { day, previous, accounts, transactions } = claimed;
    const digest = new RootDigest(day, previous);
    for await (const line of this.lines(day)) digest.add(line);
    const root = digest.close({ accounts, transactions });
    await this.#database.write(sealStatement, [day, root]);
    return { day, root, accounts, transactions };
  }

  /** A day's snapshots in the order of their ids, read by pages. */
  async *lines(day: DayText): AsyncGenerator<SnapshotLine> {
    let after = noAccount;
    for (;;) {
      const page = await this.#database.read<SnapshotLine>(linesStatement, [day, after, this.#pageRows]);
      yield* page;
      if (page.length < this.#pageRows) return;
      after = page.at(-1)?.accountId ?? after;
    }
  }
}

function startOf(day: DayText): string {
  return `${day}T00:00:00.000Z`;
}
