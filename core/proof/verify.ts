/**
 * Recomputes everything that the ledger's tables claim, from the tables alone, while the ledger goes on: rows, entries,
 * the chain, what accounts are restored from, snapshots and roots, the audit trails; of every database of the ledger, one after the other, and
 * what goes from one to another over all of them. Keeps a page of each in memory, whatever their number.
 */
import { type AccountId, shards } from '@local-plus/contracts';
import { AccountsAudit } from './accounts.ts';
import { CoverageAudit } from './coverage.ts';
import { checkEntries, checkKeys, checkStrayCheckpoints } from './entries.ts';
import { type Finding, Findings, type RuleResult } from './findings.ts';
import { checkLiability } from './liability.ts';
import { auditLimits } from './limits.ts';
import { LinksAudit } from './links.ts';
import { type AuditDatabases, PlacesAudit, type Reader } from './places.ts';
import type { DayText } from './root.ts';
import { RootsAudit, readRoots, type StoredRoot } from './roots.ts';
import { type AuditRow, LedgerRows } from './rows.ts';
import { checkTrails } from './trails.ts';
import { TransfersAudit } from './transfers.ts';

export interface AuditOptions {
  /** The first database, or the only one. */
  readonly database: Reader;
  /** The further ones by their ids; none where there is one. */
  readonly further?: AuditDatabases;
  /** Only this one: then nothing is said of what spans accounts. null: all. */
  readonly accountId?: AccountId | null;
  /** Rows, snapshots and roots of this day and later; what came before is believed. null: all. */
  readonly since?: DayText | null;
  /** Roots that were kept outside the database. */
  readonly heldRoots?: readonly HeldRoot[];
  /** Told of every page: how many rows have been looked at so far. */
  readonly progress?: (rows: number) => void;
  readonly pageRows?: number;
}

export interface HeldRoot {
  readonly databaseId: number;
  readonly day: DayText;
  /** Lower-case hex. */
  readonly root: string;
}

export interface Audit {
  readonly results: readonly RuleResult[];
  /** The first wrong row; null: nothing is wrong. */
  readonly first: Finding | null;
  /** Transactions that were read. */
  readonly rows: number;
  /** Of each database that has a closed day the newest one; none where roots were not looked at. */
  readonly newest: readonly (StoredRoot & { readonly databaseId: number })[];
  /** What was not looked at, or is not covered yet, in words. */
  readonly notes: readonly string[];
}

/** One database, and what is judged of it by itself. */
interface Ledger {
  readonly databaseId: number;
  readonly database: Reader;
  readonly roots: readonly StoredRoot[];
  readonly rows: LedgerRows;
  readonly accounts: AccountsAudit;
  readonly links: LinksAudit;
  readonly coverage: CoverageAudit;
}

/** What is judged over all databases. */
interface Whole {
  readonly options: AuditOptions;
  readonly findings: Findings;
  readonly counter: Counter;
  readonly places: PlacesAudit;
  readonly transfers: TransfersAudit;
}

/** Rejects when the tables cannot be read, or when these are not all of the ledger's databases. */
export async function auditLedger(options: AuditOptions): Promise<Audit> {
  const { accountId = null, since = null, pageRows = auditLimits.pageRows } = options;
  const findings = new Findings();
  const counter = new Counter(options.progress);
  const databases = new Map([[shards.firstDatabase, options.database], ...(options.further ?? [])]);
  const places = await PlacesAudit.read(databases, findings);
  const ledgers: Ledger[] = [];
  for (const [databaseId, database] of databases)
    ledgers.push(await openLedger(databaseId, database, options, findings));
  const transfers = new TransfersAudit({
    findings,
    of: (account) => places.of(account),
    sees: (writerId, position) => ledgers.some(({ rows }) => rows.sees(writerId, position)),
  });
  const whole = { options, findings, counter, places, transfers };
  for (const ledger of ledgers) await auditRows(ledger, whole);
  const rows = counter.count;
  for (const ledger of ledgers) await auditRest(ledger, whole);
  if (accountId === null && since === null) transfers.checkTransit();
  if (accountId === null) {
    await checkLiability({ database: options.database, databases, findings, since });
    await checkTrails(options.database, findings, pageRows);
  }
  return {
    results: findings.results(),
    first: findings.first(),
    rows,
    newest: accountId === null ? newestOf(ledgers) : [],
    notes: notesOf(options, transfers, ledgers),
  };
}

async function openLedger(
  databaseId: number,
  database: Reader,
  { pageRows = auditLimits.pageRows }: AuditOptions,
  findings: Findings,
): Promise<Ledger> {
  // In this order: then every row that a root counts is inside the cut.
  const roots = await readRoots(database);
  const rows = new LedgerRows(database, pageRows);
  await rows.cut();
  return {
    databaseId,
    database,
    roots,
    rows,
    accounts: new AccountsAudit(findings),
    links: new LinksAudit(database, findings),
    coverage: new CoverageAudit(database, findings, roots.at(-1)?.day ?? null),
  };
}

async function auditRows(ledger: Ledger, whole: Whole): Promise<void> {
  const { accountId = null, since = null } = whole.options;
  for await (const page of ledger.rows.pages({ accountId, since })) {
    await auditPage(page, ledger, whole);
    whole.counter.add(page.length);
  }
  ledger.accounts.end();
  await ledger.coverage.end();
}

/** What is not read row by row. */
async function auditRest({ databaseId, database, roots, coverage }: Ledger, whole: Whole): Promise<void> {
  const { options, findings, counter, places, transfers } = whole;
  const { accountId = null, since = null, pageRows = auditLimits.pageRows } = options;
  await checkKeys(database, findings, accountId, pageRows);
  await checkStrayCheckpoints(database, findings, accountId, pageRows);
  await transfers.checkOpenRows(database, accountId, pageRows);
  if (accountId !== null) return;
  await places.check(databaseId);
  const audit = new RootsAudit({ database, findings, pageRows, progress: (lines) => counter.add(lines) });
  const held = (options.heldRoots ?? []).filter((each) => each.databaseId === databaseId);
  await audit.check(roots, since, new Map(held.map(({ day, root }) => [day, root])));
  if (since !== null) return;
  audit.checkCounts(roots, coverage);
  await checkEntries(database, findings, auditLimits.entriesRows, (more) => counter.add(more));
}

async function auditPage(page: readonly AuditRow[], ledger: Ledger, { options, places, transfers }: Whole) {
  const { accounts, links, coverage } = ledger;
  let account = '';
  const begins = page.filter((row) => {
    const isFirst = account === '' ? accounts.isFirstOfAccount(row) : row.row.facts.accountId !== account;
    account = row.row.facts.accountId;
    return isFirst && row.row.posting.version > 1;
  });
  // For an audit that does not begin at version 1.
  const before = (options.since ?? null) === null ? undefined : await ledger.rows.before(begins);
  for (const row of page) {
    accounts.add(row, before?.get(row.row.facts.accountId));
    links.add(row, accounts.state);
    places.add(row, ledger.databaseId);
    transfers.add(row);
    coverage.add(row);
  }
  await links.settle();
  await transfers.settle();
  await coverage.settle();
}

class Counter {
  readonly #progress: ((count: number) => void) | undefined;
  count = 0;

  constructor(progress: ((count: number) => void) | undefined) {
    this.#progress = progress;
  }

  add(count: number): void {
    this.count += count;
    this.#progress?.(this.count);
  }
}

function newestOf(ledgers: readonly Ledger[]): Audit['newest'] {
  return ledgers.flatMap(({ databaseId, roots }) => {
    const newest = roots.at(-1);
    return newest === undefined ? [] : [{ databaseId, ...newest }];
  });
}

function notesOf({ accountId, since }: AuditOptions, transfers: TransfersAudit, ledgers: readonly Ledger[]): string[] {
  const notes: string[] = [];
  if (accountId) notes.push('One account only: snapshots, roots and what spans accounts were not recomputed.');
  if (since) notes.push(`What happened before ${since} was believed; sums over all entries were not made.`);
  if (transfers.open > 0) {
    const seconds = Math.round(transfers.oldestMs / 1_000);
    notes.push(`${transfers.open} transfers are on their way between two lanes, the oldest for ${seconds} s.`);
  }
  for (const { databaseId, coverage, roots } of ledgers) {
    const where = ledgers.length === 1 ? '' : `Database ${databaseId}: `;
    notes.push(...daysOf(coverage, roots.at(-1)).map((note) => `${where}${note}`));
  }
  return notes;
}

function daysOf(coverage: CoverageAudit, newest: StoredRoot | undefined): string[] {
  const notes: string[] = [];
  if (coverage.late > 0) {
    notes.push(`${coverage.late} rows were committed after their day was closed; the next day's root covers them.`);
  }
  if (coverage.waiting > 0) {
    notes.push(`${coverage.waiting} rows were committed after their day was closed; the next root will cover them.`);
  }
  if (newest === undefined) notes.push('No day is closed yet: the chain alone vouches for the rows.');
  else if (newest.root === '') notes.push(`The root of ${newest.day} is being computed.`);
  return notes;
}
