/** The bounds of liability. Times are milliseconds. */

export const liabilityLimits = {
  /** How long after its end a day is closed: what was decided before midnight has been committed by then. As roots are. */
  graceMs: 5 * 60_000,
  /** How often the ledger's tails are looked at: so often that what is summed at a time is little beside what is posted. */
  everyMs: 1_000,
  /** A tail that another process has looked at a moment ago is left to it. */
  othersMs: 500,
  /** Rows that one statement sums: some tens of milliseconds of the database. */
  pageRows: 20_000,
  /** Programs that are looked up at a time. */
  programsMax: 500,
  /** Pages that a report waits for, of all tails together, and how often at most. */
  reportPages: 10,
  reportEveryMs: 1_000,
  /** The pause after a failure, doubled up to the maximum. */
  backoffMs: 1_000,
  backoffMsMax: 5 * 60_000,
} as const;

if (liabilityLimits.backoffMs > liabilityLimits.backoffMsMax) {
  throw new Error('liability limits: the backoff grows towards its maximum');
}
if (liabilityLimits.othersMs >= liabilityLimits.everyMs) {
  throw new Error('liability limits: a process would take its own last look for another one’s');
}
