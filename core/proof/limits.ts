/** The bounds of proof, and the relations between them. Times are milliseconds. */

export interface ClosingLimits {
  /** How long after its end a day is closed: what was decided before midnight has been committed by then. */
  readonly graceMs: number;
  /** How often the closer looks whether a day is over. */
  readonly everyMs: number;
  /**
   * Between two days when several are due. A process that slept for days commits what it had in flight before the
   * second one is closed, and so it comes under a root.
   */
  readonly betweenDaysMs: number;
  /** Lines of snapshots that are read and hashed at a time. */
  readonly pageRows: number;
  /** The pause after a failure, doubled up to the maximum. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

export const closingLimits: ClosingLimits = {
  graceMs: 5 * 60_000,
  everyMs: 10 * 60_000,
  betweenDaysMs: 1_000,
  pageRows: 5_000,
  backoffMs: 5_000,
  backoffMsMax: 10 * 60_000,
};

/** Throws when the bounds contradict each other. */
export function checkClosingLimits(limits: ClosingLimits): void {
  const relations: readonly [boolean, string][] = [
    [limits.graceMs >= 0 && limits.everyMs > 0, 'times are not negative'],
    [limits.pageRows >= 1, 'a page has a row'],
    [limits.backoffMs <= limits.backoffMsMax, 'the backoff grows towards its maximum'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new Error(`proof limits: ${relation}`);
  }
}

/** The closer's connection: one statement takes up a whole day, which may have tens of millions of rows. */
export const closingConnection = { connectionsMax: 1, statementMs: 30 * 60_000, statementGraceMs: 10_000 } as const;

/** The auditor's connections: one reads the next page while the rows of this one are looked at by the other. */
export const auditConnection = { connectionsMax: 2, statementMs: 10 * 60_000, statementGraceMs: 5_000 } as const;

export const auditLimits = {
  /** Rows of a page: some kilobytes each at worst, so some megabytes in memory. */
  pageRows: 5_000,
  /** Places in the ledger whose entries one statement sums. */
  entriesRows: 50_000,
} as const;
