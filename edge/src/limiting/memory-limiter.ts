/**
 * The limiter in an isolate's own memory: exact within the isolate, bounded, and not to be got around by eviction.
 *
 * A key has a window of its own while it is among the `windowsMax` most recently used. A window that has to leave is
 * not forgotten: it is merged, by the larger count of each bucket, into one of `cellsMax` cells that its key hashes
 * to, and whoever comes without a window begins with the counts of its cell.
 *
 * M1  A key's window, or else its cell, counts at least the takes that the key was allowed. So a flood of other
 *     addresses can make the limiter stricter for some strangers, and generous to nobody.
 * M2  State is bounded: `windowsMax` windows and `cellsMax` cells, about 5 MB when all are used.
 */
import { edgeLimits } from '../limits.ts';
import { cellOf } from './cells.ts';
import type { RateLimiter, Take } from './limiter.ts';
import { SlidingWindow } from './sliding-window.ts';

export interface MemoryLimiterBounds {
  readonly windowsMax: number;
  readonly cellsMax: number;
}

export class MemoryLimiter implements RateLimiter {
  readonly #bounds: MemoryLimiterBounds;
  /** In the order of their last use: the first is the next to leave. */
  readonly #windows = new Map<string, SlidingWindow>();
  readonly #cells = new Map<number, SlidingWindow>();

  constructor(bounds: MemoryLimiterBounds = edgeLimits) {
    this.#bounds = bounds;
  }

  take(key: string, limit: number, steadyMs: number, count = 1): Take {
    let window = this.#windows.get(key);
    if (window) {
      this.#windows.delete(key);
    } else {
      window = new SlidingWindow();
      const cell = this.#cells.get(cellOf(key, this.#bounds.cellsMax));
      if (cell) window.cover(cell);
    }
    this.#windows.set(key, window);
    if (this.#windows.size > this.#bounds.windowsMax) this.#evict(steadyMs);
    return window.take(limit, steadyMs, count);
  }

  giveBack(key: string, take: Take): void {
    this.#windows.get(key)?.giveBack(take.atMs);
  }

  /** Windows and cells in use, for tests and metrics. */
  get size(): number {
    return this.#windows.size + this.#cells.size;
  }

  #evict(steadyMs: number): void {
    for (const [key, window] of this.#windows) {
      this.#windows.delete(key);
      if (!window.isEmpty(steadyMs)) this.#merge(key, window);
      return;
    }
  }

  #merge(key: string, window: SlidingWindow): void {
    const at = cellOf(key, this.#bounds.cellsMax);
    const cell = this.#cells.get(at) ?? new SlidingWindow();
    cell.cover(window);
    this.#cells.set(at, cell);
  }
}
