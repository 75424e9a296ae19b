/**
 * Recomputes everything that the ledger's tables claim, from the tables alone, while the ledger goes on: rows, entries,
 * the chain, what accounts are restored from, snapshots and roots. Keeps a page of each in memory, whatever their number.
 */
import type { AccountId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { AccountsAudit } from './accounts.ts';
import { CoverageAudit } from './coverage.ts';
import { checkEntries, checkKeys, checkStrayCheckpoints } from './entries.ts';
import { type Finding, Findings, type RuleResult } from './findings.ts';
import { auditLimits } from './limits.ts';
import { LinksAudit } from './links.ts';
import type { DayText } from './root.ts';
import { RootsAudit, readRoots, type StoredRoot } from './roots.ts';
import { type AuditRow, LedgerRows } from './rows.ts';
import { TransfersAudit } from './transfers.ts';

export interface AuditOptions {
  readonly database: Pick<Database, 'read'>;
  /** Only this one: then nothing is said of what spans accounts. null: all. */
  readonly accountId?: AccountId | null;
  /** Rows, snapshots and roots of this day and later; what came before is believed. null: all. */
  readonly since?: DayText | null;
  /** Roots that were kept outside the database, lower-case hex. */
  readonly heldRoots?: ReadonlyMap<DayText, string>;
  /** Told of every page: how many rows have been looked at so far. */
  readonly progress?: (rows: number) => void;
  readonly pageRows?: number;
}

export interface Audit {
  readonly results: readonly RuleResult[];
  /** The first wrong row; null: nothing is wrong. */
  readonly first: Finding | null;
  /** Transactions that were read. */
  readonly rows: number;
  /** The newest day with a root; null: there is none, or roots were not looked at. */
  readonly newest: StoredRoot | null;
  /** What was not looked at, or is not covered yet, in words. */
  readonly notes: readonly string[];
}

/** Rejects when the tables cannot be read. */
export async function auditLedger(options: AuditOptions): Promise<Audit> {
  const { database, accountId = null, since = null, pageRows = auditLimits.pageRows } = options;
  const findings = new Findings();
  const counter = new Counter(options.progress);
  // In this order: then every row that a root counts is inside the cut.
  const roots = await readRoots(database);
  const ledger = new LedgerRows(database, pageRows);
  await ledger.cut();

  const newestDay = roots.at(-1)?.day ?? null;
  const parts = {
    accounts: new AccountsAudit(findings),
    links: new LinksAudit(database, findings),
    transfers: new TransfersAudit(database, findings, (writerId, position) => ledger.sees(writerId, position)),
    coverage: new CoverageAudit(database, findings, newestDay),
  };
  const isWhole = accountId === null && since === null;
  for await (const page of ledger.pages({ accountId, since })) {
    await auditPage(page, since === null ? null : ledger, parts);
    counter.add(page.length);
  }
  parts.accounts.end();
  await parts.coverage.end();
  const rows = counter.count;
  await checkKeys(database, findings, accountId, pageRows);
  await checkStrayCheckpoints(database, findings, accountId, pageRows);
  await parts.transfers.checkOpenRows(accountId, pageRows);

  if (accountId === null) {
    const audit = new RootsAudit({ database, findings, pageRows, progress: (lines) => counter.add(lines) });
    await audit.check(roots, since, options.heldRoots ?? new Map());
    if (isWhole) audit.checkCounts(roots, parts.coverage);
  }
  if (isWhole) {
    parts.transfers.checkTransit();
    await checkEntries(database, findings, auditLimits.entriesRows, (more) => counter.add(more));
  }
  return {
    results: findings.results(),
    first: findings.first(),
    rows,
    newest: accountId === null ? (roots.at(-1) ?? null) : null,
    notes: notesOf(options, parts, roots),
  };
}

interface Parts {
  readonly accounts: AccountsAudit;
  readonly links: LinksAudit;
  readonly transfers: TransfersAudit;
  readonly coverage: CoverageAudit;
}

/** @param ledger where to look up what came before, for an audit that does not begin at version 1 */
async function auditPage(page: readonly AuditRow[], ledger: LedgerRows | null, parts: Parts): Promise<void> {
  const { accounts, links, transfers, coverage } = parts;
  let account = '';
  const begins = page.filter((row) => {
    const isFirst = account === '' ? accounts.isFirstOfAccount(row) : row.row.facts.accountId !== account;
    account = row.row.facts.accountId;
    return isFirst && row.row.posting.version > 1;
  });
  const before = await ledger?.before(begins);
  for (const row of page) {
    accounts.add(row, before?.get(row.row.facts.accountId));
    links.add(row, accounts.state);
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

function notesOf(
  { accountId, since }: AuditOptions,
  { coverage, transfers }: Parts,
  roots: readonly StoredRoot[],
): string[] {
  const notes: string[] = [];
  if (accountId) notes.push('One account only: snapshots, roots and what spans accounts were not recomputed.');
  if (since) notes.push(`What happened before ${since} was believed; sums over all entries were not made.`);
  if (transfers.open > 0) {
    const seconds = Math.round(transfers.oldestMs / 1_000);
    notes.push(`${transfers.open} transfers are on their way between two lanes, the oldest for ${seconds} s.`);
  }
  if (coverage.late > 0) {
    notes.push(`${coverage.late} rows were committed after their day was closed; the next day's root covers them.`);
  }
  if (coverage.waiting > 0) {
    notes.push(`${coverage.waiting} rows were committed after their day was closed; the next root will cover them.`);
  }
  const newest = roots.at(-1);
  if (newest === undefined) notes.push('No day is closed yet: the chain alone vouches for the rows.');
  else if (newest.root === '') notes.push(`The root of ${newest.day} is being computed.`);
  return notes;
}
