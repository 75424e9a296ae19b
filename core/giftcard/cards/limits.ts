/** The bounds of gift cards. Times are milliseconds. */
import { limits as wire } from '@local-plus/contracts';

const dayMs = 86_400_000;

export const cardLimits = {
  /** Cards in memory: what never changes of them. */
  heldMax: 200_000,
  /** Cards looked up, or activities closed, by one statement; and callers who wait for the next one: one more answers 429. */
  batchMax: 1_000,
  waitingMax: 8_192,
  /** Cards of one bulk issue that are worked on at a time. */
  issuingMax: 16,
  /** Tries to issue cards that others issue at the same moment. */
  issuesMax: 20,
  /** How often an activity that meets another one under way finishes that one first, before it is refused. */
  helpsMax: 10,
  /** Postings that clear one card: each takes as much as one posting may move. */
  clearingsMax: 16,
  /** Replacements of replacements that what is left follows. */
  replacementsMax: 16,
  /** Days before the last one ends at which it is said, most first. */
  noticeDays: [30, 7, 1],
  noticeDaysMax: 366,
  /**
   * How long after its end an expired card is looked at, and a deactivated one again: what was let through by the state before
   * is decided by then.
   */
  settleAfterMs: 60_000,
  /** For what is held of it, at the soonest. */
  settleAgainMs: 1_000,
  /** For what is held of it, at the latest: a hold can be released long before its time is over. */
  settleHeldMs: 600_000,
  /**
   * How long after a card's end something that is its own may still come back to it: a transfer or a payment that was under way
   * when the card ended, and that somebody's absence held up.
   */
  comesBackMs: 90 * dayMs,
  /** How long one step of a sweep, or of finishing somebody else's activity, may wait. */
  stepMs: 5_000,
  dayMs,
} as const;

if (cardLimits.settleAfterMs <= Math.max(wire.requestBudgetMs, wire.bulkBudgetMs) + cardLimits.stepMs) {
  throw new Error('limits: what was let through before is decided when a card is settled');
}
