/**
 * Plans counted in the memory of one process: exact within it, bounded, and not to be got around by eviction.
 *
 * M1  A caller that has to leave is not forgotten. Its windows are merged, by the larger count, into a cell that it
 *     shares with others, and whoever comes anew begins with the windows of its cell (as in memory-limiter.ts). Its month
 *     is remembered by itself.
 * M2  Bounded: `plansMax` callers, `cellsMax` cells, `monthsMax` months; past those the oldest month is forgotten, which is
 *     reported. A process that ends forgets everything: its successor begins the month anew.
 */
import { LRUCache } from 'lru-cache';
import { edgeLimits } from '../limits.ts';
import type { Ports } from '../ports.ts';
import { CallerCounts, type Moment, retryMsOf } from './caller-counts.ts';
import { cellOf } from './cells.ts';
import type { MonthRow } from './month.ts';
import type { Plan, PlanLimiter, PlanTake } from './plan.ts';

export interface MemoryPlanBounds {
  readonly plansMax: number;
  readonly cellsMax: number;
  readonly monthsMax: number;
}

export class MemoryPlans implements PlanLimiter {
  readonly #ports: Pick<Ports, 'nowMs' | 'steadyMs' | 'report'>;
  readonly #bounds: MemoryPlanBounds;
  readonly #callers: LRUCache<string, CallerCounts>;
  readonly #cells = new Map<number, CallerCounts>();
  readonly #months = new Map<string, MonthRow>();

  constructor(ports: Pick<Ports, 'nowMs' | 'steadyMs' | 'report'>, bounds: MemoryPlanBounds = edgeLimits) {
    this.#ports = ports;
    this.#bounds = bounds;
    this.#callers = new LRUCache({
      max: bounds.plansMax,
      dispose: (counts, key, reason) => {
        if (reason === 'evict') this.#merge(key, counts);
      },
    });
  }

  take(key: string, plan: Plan, count: number): PlanTake {
    const now = this.#moment();
    const counts = this.#callers.get(key) ?? this.#begin(key);
    const allowed = counts.free(plan, now) >= count;
    if (allowed) counts.add(count);
    const left = counts.left(plan, now, allowed ? 1 : count);
    return { allowed, retryMs: allowed ? 0 : retryMsOf(left, count), left, ageMs: 0, leased: 0, atMs: now.steadyMs };
  }

  giveBack(key: string, { atMs }: PlanTake, count: number): void {
    const { steadyMs, nowMs } = this.#moment();
    this.#callers.get(key)?.giveBack({ steadyMs: atMs, nowMs: nowMs - (steadyMs - atMs) }, count);
  }

  /** Callers, cells and months that are held, for tests. */
  get size(): number {
    return this.#callers.size + this.#cells.size + this.#months.size;
  }

  #moment(): Moment {
    return { steadyMs: this.#ports.steadyMs(), nowMs: this.#ports.nowMs() };
  }

  #begin(key: string): CallerCounts {
    const counts = new CallerCounts();
    const cell = this.#cells.get(cellOf(key, this.#bounds.cellsMax));
    if (cell) counts.cover(cell);
    const month = this.#months.get(key);
    if (month) counts.restoreMonth(month);
    this.#months.delete(key);
    this.#callers.set(key, counts);
    return counts;
  }

  #merge(key: string, counts: CallerCounts): void {
    if (!counts.areWindowsEmpty(this.#ports.steadyMs())) {
      const at = cellOf(key, this.#bounds.cellsMax);
      const cell = this.#cells.get(at) ?? new CallerCounts();
      cell.cover(counts);
      this.#cells.set(at, cell);
    }
    if (this.#months.size >= this.#bounds.monthsMax) {
      const [oldest] = this.#months.keys();
      this.#months.delete(oldest as string);
      this.#ports.report('month_forgotten');
    }
    this.#months.set(key, counts.month);
  }
}
