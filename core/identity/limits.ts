/** The bounds of the identity module; what the wire and the edge bound stands in contracts. */
export const identityLimits = {
  /** How long a revocation that has expired is kept, so that its creation is answered again. */
  endedKeptHours: 24,
  /** Of those kept longer, so many are removed with each new one. */
  endedRowsMax: 1_000,
} as const;
