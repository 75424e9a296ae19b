/** The bounds of transfers across lanes. Times are milliseconds. */

export interface TransferLimits {
  /** The pause before a step is tried again for a client who waits, doubled up to the maximum. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

export const transferLimits: TransferLimits = { retryMs: 20, retryMsMax: 250 };

export interface TransferSweepLimits {
  /** The pause between two rounds; none after a round that was full and got on. */
  readonly sweepMs: number;
  /** How long a transfer is left to the process that began it. */
  readonly ageMs: number;
  /** What the pause after trouble with the store grows up to, from `sweepMs` on. */
  readonly pauseMsMax: number;
  /** For how long a transfer is set aside at most; at first for `sweepMs`. */
  readonly asideMsMax: number;
  readonly transfersMax: number;
  /** Transfers at a time: clients' commands go on beside them. */
  readonly concurrencyMax: number;
  /** Transfers set aside; a further one is tried again in the next round. */
  readonly asideMax: number;
  /** How long a step may wait. */
  readonly deadlineMs: number;
}

export const transferSweepLimits: TransferSweepLimits = {
  sweepMs: 1_000,
  ageMs: 3_000,
  pauseMsMax: 10_000,
  asideMsMax: 60_000,
  transfersMax: 200,
  concurrencyMax: 16,
  asideMax: 2_000,
  deadlineMs: 5_000,
};
