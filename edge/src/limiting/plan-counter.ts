/**
 * The counter that all isolates share, as they ask it: so many requests of a plan, to be used for a while.
 *
 * C1  What is handed out is counted at once, and may be used until its bucket ends by the counter's clock
 *     (caller-counts.ts). Nobody else's clock counts; how long that is, is said as a length of time.
 * C2  What callers are waiting for is handed out as long as there is any; what an isolate would like to have ahead of
 *     need (`spare`) is at most a part of what is left then: the less is left, the less lies about unused.
 *
 * Pure. Run by the Durable Object (plan-object.ts).
 */
import { edgeLimits } from '../limits.ts';
import { type CallerCounts, type Moment, retryMsOf } from './caller-counts.ts';
import type { Lefts, Plan } from './plan.ts';

export interface Ask {
  /** All of these, or nothing at all is handed out. */
  readonly must: number;
  /** As many of these as there are. */
  readonly more: number;
  readonly spare: number;
  /** Of an earlier lease, never used. */
  readonly unused: Unused | null;
}

export interface Unused {
  readonly atMs: number;
  readonly count: number;
}

export interface Lease {
  readonly granted: number;
  /** How long they may be used, counted from before they were asked for. */
  readonly leaseMs: number;
  /** Names the bucket that they are counted in. */
  readonly atMs: number;
  /** Without them: until `must` may be there. */
  readonly retryMs: number;
  readonly left: Lefts;
}

export function leaseOf(counts: CallerCounts, plan: Plan, ask: Ask, nowMs: number): Lease {
  const { must, more, spare, unused } = ask;
  if (unused !== null) counts.giveBack(momentOf(unused.atMs), unused.count);
  const free = counts.free(plan, momentOf(nowMs));
  const isRefused = free < must;
  const { startMs, endMs } = counts.bucketOf(plan, nowMs);
  const leaseMs = Math.max(endMs - nowMs - edgeLimits.leaseMarginMs, 0);
  const needed = must + Math.min(more, Math.max(free - must, 0));
  const granted = isRefused ? 0 : needed + (leaseMs === 0 ? 0 : spareOf(spare, free - needed));
  if (granted > 0) counts.add(granted);
  const left = counts.left(plan, momentOf(nowMs), isRefused ? must : 1);
  return {
    granted,
    leaseMs,
    atMs: startMs,
    retryMs: isRefused ? retryMsOf(left, must) : 0,
    left,
  };
}

/** An object has one clock for both. */
export function momentOf(nowMs: number): Moment {
  return { steadyMs: nowMs, nowMs };
}

/** C2. */
function spareOf(wanted: number, left: number): number {
  return Math.min(wanted, Math.floor(left / edgeLimits.leaseLeftShare));
}
