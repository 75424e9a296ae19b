/**
 * What one caller has used of its plan: in the last ten seconds, in the last minute, in this month. Pure.
 *
 * - A month is counted whether the plan limits it or not, so that a quota that comes later finds it counted.
 * - A burst is counted while the plan limits it.
 * - Whatever is handed out at one time is counted in one bucket of each window, and may be used until the first of them
 *   ends (`bucketEndMs`): so what a lease still holds has left every window no earlier than what was used of it.
 */

import { MonthCount, type MonthRow } from './month.ts';
import type { Left, Lefts, Plan } from './plan.ts';
import { burstShape, minuteShape, SlidingWindow, type WindowRow } from './sliding-window.ts';

/** One moment on both clocks (ports.ts): windows go by the steady one, months by the calendar. */
export interface Moment {
  readonly steadyMs: number;
  readonly nowMs: number;
}

export interface CallerRow {
  readonly burst: WindowRow | null;
  readonly minute: WindowRow;
  readonly month: MonthRow;
}

export class CallerCounts {
  #burst: SlidingWindow | null = null;
  #minute = new SlidingWindow(minuteShape);
  #month = new MonthCount();

  static ofRow({ burst, minute, month }: CallerRow): CallerCounts {
    const counts = new CallerCounts();
    counts.#burst = burst === null ? null : SlidingWindow.ofRow(burst, burstShape);
    counts.#minute = SlidingWindow.ofRow(minute, minuteShape);
    counts.#month = MonthCount.ofRow(month);
    return counts;
  }

  toRow(): CallerRow {
    return { burst: this.#burst?.toRow() ?? null, minute: this.#minute.toRow(), month: this.#month.toRow() };
  }

  /** How many more requests the plan allows now. */
  free({ burst, minute, month }: Plan, { steadyMs, nowMs }: Moment): number {
    if (burst === null) this.#burst = null;
    else this.#burst ??= new SlidingWindow(burstShape);
    const ofBurst = this.#burst?.left(burst ?? Number.MAX_SAFE_INTEGER, steadyMs) ?? Number.MAX_SAFE_INTEGER;
    const ofMinute = this.#minute.left(minute ?? Number.MAX_SAFE_INTEGER, steadyMs);
    const ofMonth = this.#month.left(month ?? Number.MAX_SAFE_INTEGER, nowMs);
    return Math.max(Math.min(ofBurst, ofMinute, ofMonth), 0);
  }

  /** Counts so many; no more than were just found to be free. */
  add(count: number): void {
    this.#burst?.add(count);
    this.#minute.add(count);
    this.#month.add(count);
  }

  /** Undoes takes of that moment. */
  giveBack({ steadyMs, nowMs }: Moment, count: number): void {
    this.#burst?.giveBack(steadyMs, count);
    this.#minute.giveBack(steadyMs, count);
    this.#month.giveBack(nowMs, count);
  }

  /** What is left; `wanted`: until when how many are there. */
  left(plan: Plan, { steadyMs, nowMs }: Moment, wanted: number): Lefts {
    const { burst, minute, month } = plan;
    const ofWindow = (window: SlidingWindow | null, limit: number | null): Left | null =>
      window === null || limit === null
        ? null
        : { remaining: Math.max(window.left(limit, steadyMs), 0), resetMs: window.resetMs(limit, steadyMs, wanted) };
    const ofMonth =
      month === null
        ? null
        : { remaining: Math.max(this.#month.left(month, nowMs), 0), resetMs: this.#month.resetMs(nowMs) };
    return { burst: ofWindow(this.#burst, burst), minute: ofWindow(this.#minute, minute), month: ofMonth };
  }

  /** When what is handed out now begins, and ends, to count in the shortest bucket that this plan has. */
  bucketOf({ burst }: Plan, steadyMs: number): { readonly startMs: number; readonly endMs: number } {
    const window = burst === null || this.#burst === null ? this.#minute : this.#burst;
    const { bucketMs } = window === this.#burst ? burstShape : minuteShape;
    const startMs = window.bucketStartMs;
    // A clock that went back stands still (L2), but its caller's time passes.
    return { startMs, endMs: Math.min(startMs, steadyMs) + bucketMs };
  }

  /** Counts at least as much in the windows as `other` does. Months are nobody else's. */
  cover(other: CallerCounts): void {
    if (other.#burst !== null) {
      this.#burst ??= new SlidingWindow(burstShape);
      this.#burst.cover(other.#burst);
    }
    this.#minute.cover(other.#minute);
  }

  get month(): MonthRow {
    return this.#month.toRow();
  }

  restoreMonth(row: MonthRow): void {
    this.#month = MonthCount.ofRow(row);
  }

  areWindowsEmpty(steadyMs: number): boolean {
    return this.#minute.isEmpty(steadyMs) && (this.#burst?.isEmpty(steadyMs) ?? true);
  }

  /** How long nothing of this has to be kept any longer than; 0: nothing counts any more. */
  keepMs({ steadyMs, nowMs }: Moment, windowsMs: number): number {
    const monthMs = this.#month.isEmpty(nowMs) ? 0 : this.#month.resetMs(nowMs);
    return this.areWindowsEmpty(steadyMs) ? monthMs : Math.max(monthMs, windowsMs);
  }
}

/** Until a refused take may be allowed: by the count that lacks tokens, and takes longest. */
export function retryMsOf({ burst, minute, month }: Lefts, wanted: number): number {
  const waitMs = (left: Left | null): number => (left !== null && left.remaining < wanted ? left.resetMs : 0);
  return Math.max(waitMs(burst), waitMs(minute), waitMs(month));
}
