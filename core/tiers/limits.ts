/** The bounds of the tiers module; what the wire bounds stands in contracts. Times are milliseconds. */
import { limits as wire } from '@local-plus/contracts';
import { limits as core } from '../limits.ts';

export const tierLimits = {
  /** Days of earned points that are kept of a wallet: by any tiers that its program can come to have, older ones say nothing. */
  daysKept: 1_100,
  /** How long a process may go by a tier, in rules, that it has read. */
  freshMs: 5_000,
  /** Tiers of wallets in memory, for rules; about 200 bytes each. */
  walletsHeldMax: 200_000,
  /** Wallets whose tiers one statement reads, and callers who wait for the next; one more answers 429. */
  batchMax: 1_000,
  waitingMax: 8_192,
  /** Schemes in memory. */
  schemesHeldMax: 10_000,

  /** The pause between two looks at the ledger's tail, and what it grows up to while the database is in trouble. */
  followMs: 500,
  followPauseMsMax: 10_000,
  /** Whoever follows is followed by another when it has said nothing for so long. */
  leaseMs: 15_000,
  /** How long a round works at most before the lease is renewed. */
  roundMs: 5_000,
  /** Rows of the tail that one statement looks at; wallets that one takes on; rows of a wallet. */
  tailRowsMax: 10_000,
  walletsMax: 200,
  walletRowsMax: 500,
  /** Programs of which one look takes on what is to be done beside following the ledger. */
  programsMax: 100,
  /** Pages of a wallet's rows for one answer: what is farther behind is answered when the follower has been there. */
  answerPagesMax: 20,
  /** Versions of one program, tries at the next number. */
  numberTriesMax: 20,
} as const;

const windowDaysMax = Math.max(wire.tierWindowDaysMax, Math.ceil((wire.tierWindowMonthsMax / 12) * 366));
if (windowDaysMax + wire.tierGraceDaysMax >= tierLimits.daysKept) {
  throw new Error('limits: what the longest window and grace look at is kept');
}
const statementMs = core.statementMs + core.statementGraceMs;
if (tierLimits.roundMs + statementMs >= tierLimits.leaseMs) {
  throw new Error('limits: a round is over before its lease is');
}
