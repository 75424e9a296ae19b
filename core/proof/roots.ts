/**
 * The audit of days: each snapshot against the row that it names, each root against its snapshots and the root before.
 * Holds one line per day, and a page of snapshots.
 */
import type { Database } from '../platform/postgres/index.ts';
import type { CoverageAudit } from './coverage.ts';
import type { Findings, Place } from './findings.ts';
import { type DayText, dayAfter, RootDigest, type SnapshotLine } from './root.ts';
import { noAccount } from './snapshots.ts';

export interface StoredRoot {
  readonly day: DayText;
  readonly accounts: number;
  readonly transactions: number;
  /** Lower-case hex; empty: not computed yet. */
  readonly root: string;
}

const rootsStatement = `
select day::text as day, accounts, transactions, encode(root, 'hex') as root from ledger_roots order by day`;

/** One index probe per day. */
const snapshotDaysStatement = `
with recursive days(day) as (
  select min(day) from balance_snapshots
  union all
  select (select min(day) from balance_snapshots where day > days.day) from days where days.day is not null
)
select day::text as day from days where day is not null`;

const linesStatement = `
select s.account_id as "accountId", s.version, s.balance, s.held, encode(s.hash, 'hex') as hash,
  t.version is not null as "isThere", t.balance_after as "rowBalance", t.held_after as "rowHeld",
  encode(t.hash, 'hex') as "rowHash", s.day - (t.occurred_at at time zone 'UTC')::date as "daysLater"
from (
  select * from balance_snapshots where day = $1::text::date and account_id > $2::uuid order by account_id limit $3::int
) as s left join transactions as t on t.account_id = s.account_id and t.version = s.version
order by s.account_id`;

interface Line extends SnapshotLine {
  readonly isThere: boolean;
  readonly rowBalance: number | null;
  readonly rowHeld: number | null;
  readonly rowHash: string | null;
  /** Than its row's own day: 1 for a row that came after its day was closed. */
  readonly daysLater: number | null;
}

export async function readRoots(database: Pick<Database, 'read'>): Promise<readonly StoredRoot[]> {
  return database.read<StoredRoot>(rootsStatement);
}

export interface RootsAuditPorts {
  readonly database: Pick<Database, 'read'>;
  readonly findings: Findings;
  readonly pageRows: number;
  /** Told after each page of snapshots. */
  readonly progress: (lines: number) => void;
}

export class RootsAudit {
  readonly #ports: RootsAuditPorts;

  constructor(ports: RootsAuditPorts) {
    this.#ports = ports;
  }

  /**
   * @param roots all of them, by day
   * @param since days before are taken as they stand; null: none
   * @param held roots that somebody kept elsewhere
   */
  async check(roots: readonly StoredRoot[], since: DayText | null, held: ReadonlyMap<DayText, string>): Promise<void> {
    const { findings } = this.#ports;
    const days = new Set(roots.map(({ day }) => day));
    for (const { day } of await this.#ports.database.read<{ day: DayText }>(snapshotDaysStatement)) {
      if (!days.has(day)) findings.wrong('roots', { day }, 'the day has snapshots, but no root');
    }
    let before: StoredRoot | null = null;
    for (const stored of roots) {
      if (before !== null && dayAfter(before.day) !== stored.day) {
        findings.wrong('roots', { day: dayAfter(before.day) }, 'the day has no root, but a later one has');
      }
      if (since === null || stored.day >= since) await this.#checkDay(stored, before, stored === roots.at(-1));
      before = stored;
    }
    for (const [day, root] of held) {
      const found = roots.find((stored) => stored.day === day)?.root ?? 'no root';
      findings.looked('roots');
      if (found !== root) findings.wrong('roots', { day }, 'the root that was kept', { expected: root, found });
    }
  }

  /** Only when all rows have been added to the coverage. */
  checkCounts(roots: readonly StoredRoot[], coverage: CoverageAudit): void {
    for (const { day, transactions: found } of roots) {
      const expected = coverage.transactionsOf(day);
      const compared = { expected, found };
      if (found !== expected) this.#ports.findings.wrong('roots', { day }, 'the count of transactions', compared);
    }
  }

  async #checkDay(stored: StoredRoot, before: StoredRoot | null, isNewest: boolean): Promise<void> {
    const { findings } = this.#ports;
    const { day } = stored;
    const digest = new RootDigest(day, before?.root ?? null);
    let accounts = 0;
    for await (const line of this.#lines(day)) {
      accounts++;
      digest.add(line);
      findings.looked('snapshots');
      const fault = faultOf(line);
      const place: Place = { accountId: line.accountId, version: line.version, day };
      if (fault !== null) findings.wrong('snapshots', place, fault.what, fault);
    }
    findings.looked('roots');
    if (accounts !== stored.accounts) {
      const compared = { expected: accounts, found: stored.accounts };
      findings.wrong('roots', { day }, 'the count of accounts', compared);
    }
    // The newest day may be between its two steps.
    if (stored.root === '' && isNewest) return;
    const expected = digest.close({ accounts: stored.accounts, transactions: stored.transactions });
    if (stored.root !== expected) findings.wrong('roots', { day }, 'the root', { expected, found: stored.root });
  }

  async *#lines(day: DayText): AsyncGenerator<Line> {
    const { database, pageRows, progress } = this.#ports;
    let after = noAccount;
    for (;;) {
      const page: readonly Line[] = await database.read<Line>(linesStatement, [day, after, pageRows]);
      yield* page;
      progress(page.length);
      if (page.length < pageRows) return;
      after = page.at(-1)?.accountId ?? after;
    }
  }
}

function faultOf(line: Line): { what: string; expected: unknown; found: unknown } | null {
  if (!line.isThere) return { what: 'the row of the snapshot', expected: 'a transaction', found: 'none' };
  if (line.balance !== line.rowBalance) {
    return { what: "the snapshot's balance", expected: line.rowBalance, found: line.balance };
  }
  if (line.held !== line.rowHeld) return { what: "the snapshot's held", expected: line.rowHeld, found: line.held };
  if (line.hash !== line.rowHash) return { what: "the row's hash", expected: line.hash, found: line.rowHash };
  if (line.daysLater !== 0 && line.daysLater !== 1) {
    return { what: "the snapshot's day", expected: "the row's, or the next", found: `${line.daysLater} days later` };
  }
  return null;
}
