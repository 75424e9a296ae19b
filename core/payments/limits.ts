/** The bounds of payments; what the wire bounds stands in contracts. */
import { accountLimits, type SweepLimits } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';

export const paymentLimits = {
  /**
   * How long the sources may take to hold what they give; by the database's clock. After that nobody waits for the payment any
   * more, and it is not captured behind its caller's back.
   */
  holdingSeconds: 60,
  /**
   * How much longer than the payment can be captured its holds last: the time in which what was decided to be captured is
   * captured, whatever is away meanwhile.
   */
  holdGraceSeconds: 7 * 24 * 3_600,
  /** How long a payment, or a refund, that is under way is left to the process that has it. */
  leaseSeconds: 5,
  /** The longest pause after a refusal to take back what a capture took, in seconds; the first one is twice the lease. */
  undoPauseSecondsMax: 86_400,
  /** Tries to change a payment that others change at the same time. */
  triesMax: 20,
  /** How long a step of the sweep may wait for the ledger, in milliseconds. */
  sweepDeadlineMs: 5_000,
} as const;

export const paymentSweepLimits: SweepLimits = {
  sweepMs: 1_000,
  pauseMsMax: 10_000,
  asideMsMax: 60_000,
  itemsMax: 200,
  concurrencyMax: 8,
  asideMax: 2_000,
};

const { holdingSeconds, holdGraceSeconds } = paymentLimits;
if (Math.max(wire.paymentSecondsMax, holdingSeconds) + holdGraceSeconds > accountLimits.holdSecondsMax) {
  throw new Error('limits: holds outlast the payment that they are for');
}
if (paymentLimits.holdingSeconds * 1_000 < wire.requestBudgetMs) {
  throw new Error('limits: whoever waits for a payment can still get it');
}
