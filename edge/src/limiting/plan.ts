/**
 * What a caller may ask for, and the port of those who count it: the memory of a process (memory-plans.ts), or leases of
 * one counter that all isolates share (leased-plans.ts). Both pass one suite, plan-suite.ts.
 *
 * P1  Never more than a plan: in any ten seconds, in any minute, in any calendar month (UTC), whoever counts, as long as
 *     the counter is there.
 * P2  A request is counted on all counts of a plan, or on none.
 */

import { edgeLimits } from '../limits.ts';

/** Requests; null: not limited. */
export interface Plan {
  /** In any ten seconds. */
  readonly burst: number | null;
  /** In any sixty seconds. */
  readonly minute: number | null;
  /** In a calendar month, UTC. */
  readonly month: number | null;
}

/** What is left of one count of a plan. */
export interface Left {
  readonly remaining: number;
  /** Until a token comes back; of a refusal: until as many are there as were asked for. */
  readonly resetMs: number;
}

/** null: the plan does not limit it. */
export interface Lefts {
  readonly burst: Left | null;
  readonly minute: Left | null;
  readonly month: Left | null;
}

export interface PlanTake {
  readonly allowed: boolean;
  /** Of a refusal: until the same may be allowed, by the count that takes longest. */
  readonly retryMs: number;
  readonly left: Lefts;
  /** How long ago that was so, and how many requests more are left to this isolate. */
  readonly ageMs: number;
  readonly leased: number;
  /** By the counter's clock: what a give-back undoes. */
  readonly atMs: number;
  /** The isolate's own counter stood in for the shared one. */
  readonly standIn?: boolean;
}

/** Lets work outlive the answer of the request that began it. */
export type WaitUntil = (work: Promise<unknown>) => void;

export interface PlanLimiter {
  /**
   * Takes `count` requests of the plan of `key`, all or none. Answers at once where it can; else what is done for others,
   * too, is told to `waitUntil`.
   */
  take(key: string, plan: Plan, count: number, waitUntil: WaitUntil): PlanTake | Promise<PlanTake>;
  /** Undoes a take of `count` that was allowed. */
  giveBack(key: string, take: PlanTake, count: number): void;
}

/** The most that an isolate may keep of a plan without need. */
export function spareMax({ burst, minute, month }: Plan): number {
  const { leaseSpareMax, leaseMinuteShare, leaseMonthShare } = edgeLimits;
  const share = (count: number | null, of: number): number => (count === null ? leaseSpareMax : Math.floor(count / of));
  return Math.min(
    leaseSpareMax,
    share(burst, leaseMinuteShare),
    share(minute, leaseMinuteShare),
    share(month, leaseMonthShare),
  );
}

export function isSamePlan(left: Plan, right: Plan): boolean {
  return left.burst === right.burst && left.minute === right.minute && left.month === right.month;
}
