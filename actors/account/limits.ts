/** The machine's bounds. Changing `checkpointEvery` needs no migration: every row says where to begin. */
export const accountLimits = {
  /** Versions between two checkpoints: how many rows restoring an account reads at most. */
  checkpointEvery: 64,
  /** Open holds of one account; a further one is refused. */
  holdsMax: 1_000,
  /** Transactions of one account that have been reversed, wholly or in part; a further one is refused. */
  reversalsMax: 4_096,
  /** Counters of one account; a purchase that needs a further one is refused. */
  countersMax: 1_000,
  /** How long a counter outlives its window: longer than any request is under way, and than clocks differ. */
  counterKeptMs: 3_600_000,
  /** What one purchase brings at most. */
  grantsMax: 1_000,
  grantCapsMax: 10,
  /** The longest a hold may last. */
  holdSecondsMax: 30 * 24 * 3_600,
  expiryMonthsMax: 120,
  expiryDaysMax: 3_650,
} as const;
