/**
 * The proof module: daily balance snapshots and roots, and the audit that recomputes everything from the tables. Owner of
 * `balance_snapshots` and `ledger_roots`.
 *
 * It reads the tables of the ledger and of the shards (`transactions`, `refusals`, `shards`, …): the one exception that it
 * needs from the rule that a table is read by its owner only. An auditor has to look at the tables themselves, not at what
 * the code that he checks says of them. It writes none of them.
 */
import { createDatabase, type Database } from '../platform/postgres/index.ts';
import type { Log } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { DayCloser, type DayCloserStatus } from './close.ts';
import { auditConnection, type ClosingLimits, checkClosingLimits, closingConnection, closingLimits } from './limits.ts';

export type { DayCloserStatus } from './close.ts';
export type { Finding, RuleName, RuleResult } from './findings.ts';
export { MissingDatabase } from './places.ts';
export { auditLines } from './print.ts';
export { isDay } from './root.ts';
export { type Audit, type AuditOptions, auditLedger, type HeldRoot } from './verify.ts';

export interface DayClosing {
  /** Looks at once and then every ten minutes. Returns at once and never throws; Postgres may come later. */
  start(): void;
  /** Never rejects. A statement under way is given up after `graceMs`: whatever became of it, the next start goes on. */
  stop(graceMs: number): Promise<void>;
  status(): DayCloserStatus;
}

export interface DayClosingOptions {
  /** Where the ledger is written: the primary, not a replica. */
  readonly databaseUrl: string;
  readonly connectMs: number;
  readonly log: Log;
  readonly limits?: Partial<ClosingLimits>;
}

/** The role of a process that closes days; any number of processes may have it. */
export function createDayClosing(options: DayClosingOptions): DayClosing {
  const { databaseUrl: url, connectMs, log } = options;
  const limits = { ...closingLimits, ...options.limits };
  checkClosingLimits(limits);
  // A connection of its own: a day's statement takes minutes, and no request may wait behind it.
  const database = createDatabase({ ...closingConnection, url, name: 'core-proof', connectMs, log });
  const closer = new DayCloser({ clock: systemClock, timer: systemTimer, log, database, limits });
  return {
    start: () => closer.start(),
    stop: (graceMs) => {
      closer.stop();
      return database.close(graceMs);
    },
    status: () => closer.status,
  };
}

/** Connections with time for an auditor's statements. */
export function openAuditDatabase(options: {
  readonly url: string;
  readonly connectMs: number;
  readonly log: Log;
}): Database {
  return createDatabase({ ...auditConnection, ...options, name: 'verify-ledger' });
}
