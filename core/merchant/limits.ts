/** The bounds of the merchant module; what the wire bounds stands in contracts. */
export const merchantLimits = {
  /** Attempts of a change while others change the same merchant, member or key. */
  triesMax: 20,
} as const;
