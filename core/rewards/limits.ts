/** The bounds of rewards; what the wire bounds stands in contracts. */
import type { SweepLimits } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';
import { limits as core } from '../limits.ts';

export const rewardLimits = {
  /** How long a redemption that is under way is left to the process that has it, in seconds. */
  leaseSeconds: 12,
  /** How long a step of the sweep may wait for the ledger, in milliseconds. */
  sweepDeadlineMs: 5_000,
  /** The pause after a refusal of points that have to come back, doubled with each up to the longest, in seconds. */
  returnPauseSeconds: 15,
  returnPauseSecondsMax: 86_400,
  /** Steps of one redemption in one go; no way through its states is longer. */
  stepsMax: 8,
} as const;

export const rewardSweepLimits: SweepLimits = {
  sweepMs: 1_000,
  pauseMsMax: 10_000,
  asideMsMax: 60_000,
  itemsMax: 200,
  concurrencyMax: 8,
  asideMax: 2_000,
};

if (rewardLimits.leaseSeconds * 1_000 <= wire.requestBudgetMs) {
  throw new Error('limits: what a request still waits for is left to it');
}
if (rewardLimits.sweepDeadlineMs >= core.statementMs + core.statementGraceMs) {
  throw new Error('limits: the sweep waits no longer than a statement');
}
