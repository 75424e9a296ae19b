/** The machine's bounds. Changing `checkpointEvery` needs no migration: every row says where to begin. */
export const accountLimits = {
  /** Versions between two checkpoints: how many rows restoring an account reads at most. */
  checkpointEvery: 64,
  /** Open holds of one account; a further one is refused. */
  holdsMax: 1_000,
  /** Transactions of one account that have been reversed, wholly or in part; a further one is refused. */
  reversalsMax: 4_096,
  /** The longest a hold may last. */
  holdSecondsMax: 30 * 24 * 3_600,
  expiryMonthsMax: 120,
  expiryDaysMax: 3_650,
} as const;
