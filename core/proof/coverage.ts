/**
 * Whether each row of a closed day is under a root: its account's snapshot of the day, or of the next one if the row was
 * committed after the day had been closed, says a version that is not lower. Looked up by pages.
 *
 * It counts on the way how many transactions came under each root.
 */
import type { Database } from '../platform/postgres/index.ts';
import type { Findings } from './findings.ts';
import { type DayText, dayAfter, dayOf } from './root.ts';
import type { AuditRow } from './rows.ts';

const snapshotsStatement = `
select q.n::int as n, s.day::text as day, s.version
from unnest($1::text[], $2::uuid[]) with ordinality as q(day, account_id, n)
join balance_snapshots as s on s.account_id = q.account_id and s.day in (q.day::date, q.day::date + 1)`;

/** What one account did on one day. */
interface AccountDay {
  readonly accountId: string;
  readonly day: DayText;
  readonly first: number;
  last: number;
}

interface Snapshot {
  readonly n: number;
  readonly day: DayText;
  readonly version: number;
}

export class CoverageAudit {
  readonly #database: Pick<Database, 'read'>;
  readonly #findings: Findings;
  readonly #newestDay: DayText | null;
  readonly #transactions = new Map<DayText, number>();
  #current: AccountDay | null = null;
  #done: AccountDay[] = [];
  /** Rows that came after their day was closed: under the next root, and under none yet. */
  late = 0;
  waiting = 0;

  /** @param newestDay the last closed one; null: none is */
  constructor(database: Pick<Database, 'read'>, findings: Findings, newestDay: DayText | null) {
    this.#database = database;
    this.#findings = findings;
    this.#newestDay = newestDay;
  }

  /** Rows in the order of account, version. */
  add({ row }: AuditRow): void {
    if (this.#newestDay === null) return;
    const day = dayOf(row.posting.occurredAtMs);
    const { accountId } = row.facts;
    const current = this.#current;
    if (current !== null && current.accountId === accountId && current.day === day) {
      current.last = row.posting.version;
      return;
    }
    this.#closeCurrent();
    if (day > this.#newestDay) return;
    this.#current = { accountId, day, first: row.posting.version, last: row.posting.version };
  }

  /** Looks up what is complete since the last call. */
  async settle(): Promise<void> {
    const asked = this.#done;
    this.#done = [];
    if (asked.length === 0) return;
    const own = new Map<number, number>();
    const next = new Map<number, number>();
    const parameters = [asked.map(({ day }) => day), asked.map(({ accountId }) => accountId)];
    for (const snapshot of await this.#database.read<Snapshot>(snapshotsStatement, parameters)) {
      const index = snapshot.n - 1;
      const isOwn = asked[index]?.day === snapshot.day;
      (isOwn ? own : next).set(index, snapshot.version);
    }
    for (const [index, days] of asked.entries()) this.#judge(days, own.get(index) ?? 0, next.get(index) ?? 0);
  }

  async end(): Promise<void> {
    this.#closeCurrent();
    await this.settle();
  }

  /** How many rows came under the root of a day. */
  transactionsOf(day: DayText): number {
    return this.#transactions.get(day) ?? 0;
  }

  #closeCurrent(): void {
    if (this.#current !== null) this.#done.push(this.#current);
    this.#current = null;
  }

  /** @param own, next the versions that the snapshots of the day and of the next one say; 0: there is none */
  #judge({ accountId, day, first, last }: AccountDay, own: number, next: number): void {
    this.#findings.looked('coverage', last - first + 1);
    const inTime = Math.max(0, Math.min(own, last) - first + 1);
    this.#count(day, inTime);
    const firstLate = first + inTime;
    const late = last - firstLate + 1;
    if (late === 0) return;
    const nextDay = dayAfter(day);
    if (nextDay > (this.#newestDay ?? '')) {
      this.waiting += late;
    } else if (next >= last) {
      this.late += late;
      this.#count(nextDay, late);
    } else {
      const version = Math.max(firstLate, next + 1);
      this.#findings.wrong('coverage', { accountId, version, day }, 'no root covers it, though its day is closed');
    }
  }

  #count(day: DayText, rows: number): void {
    if (rows > 0) this.#transactions.set(day, this.transactionsOf(day) + rows);
  }
}
