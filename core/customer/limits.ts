/** The bounds of the customer module; what the wire bounds stands in contracts. */
import { limits as wire } from '@local-plus/contracts';

export const customerLimits = {
  /** Customers that were merged into one, however indirectly. */
  mergesMax: wire.customerMergesMax,
  /** Attempts of a merge, an erasure or a consent while others change the same customer. */
  triesMax: 20,
  /** Wallets of one export, and transactions of each; their routes go on from there. */
  exportWalletsMax: 50,
  exportTransactionsMax: 100,
  /** Consents, and gift cards, of one export; their routes go on from there. */
  exportConsentsMax: 100,
  exportGiftcardsMax: 100,
  /** Wallets that one export reads at a time. */
  exportConcurrencyMax: 4,
  /** Keys that are wrapped anew in one round, and at a time. */
  rewrapRowsMax: 500,
  rewrapConcurrencyMax: 4,
  /** The pause between rounds, at first, and when there is trouble. */
  rewrapMs: 5_000,
  rewrapPauseMsMax: 300_000,
} as const;
