/**
 * How many in any sixty seconds: seven buckets of ten seconds, of which the current one and the six before count.
 *
 * L1  Never over: sixty seconds touch at most seven buckets, and all seven are counted. The price is that a taken
 *     token comes back after 60 to 70 seconds, never earlier.
 * L2  Time never goes back: a clock that does is taken to stand still.
 *
 * Pure. Must not know: who is counted, or where the counts live.
 */
import { edgeLimits } from '../limits.ts';
import type { Take } from './limiter.ts';

const { bucketMs, bucketCount } = edgeLimits;

export interface WindowRow {
  readonly bucket: number;
  readonly counts: readonly number[];
}

export class SlidingWindow {
  /** Number of the newest bucket, since the epoch. */
  #bucket = 0;
  /** Ring: bucket b is counted at b modulo seven. */
  readonly #counts: number[] = Array.from({ length: bucketCount }, () => 0);
  #sum = 0;

  /** All of `count`, or none. */
  take(limit: number, nowMs: number, count = 1): Take {
    this.#moveTo(Math.floor(nowMs / bucketMs));
    const atMs = Math.max(nowMs, this.#bucket * bucketMs);
    if (this.#sum + count > limit) {
      const remaining = Math.max(limit - this.#sum, 0);
      return { allowed: false, remaining, resetMs: this.#resetMs(limit, atMs, count), atMs };
    }
    this.#add(this.#bucket, count);
    return { allowed: true, remaining: limit - this.#sum, resetMs: this.#resetMs(limit, atMs, 1), atMs };
  }

  /** Undoes one take; without effect once its bucket no longer counts. */
  giveBack(atMs: number): void {
    const bucket = Math.floor(atMs / bucketMs);
    if (bucket > this.#bucket || bucket <= this.#bucket - bucketCount) return;
    if ((this.#counts[bucket % bucketCount] as number) > 0) this.#add(bucket, -1);
  }

  /** Counts at least as much as `other` does, bucket by bucket. */
  cover(other: SlidingWindow): void {
    this.#moveTo(other.#bucket);
    for (let bucket = this.#bucket - bucketCount + 1; bucket <= this.#bucket; bucket++) {
      const lacking = other.#countOf(bucket) - this.#countOf(bucket);
      if (lacking > 0) this.#add(bucket, lacking);
    }
  }

  /** Whether nothing counts any more at `nowMs`. */
  isEmpty(nowMs: number): boolean {
    this.#moveTo(Math.floor(nowMs / bucketMs));
    return this.#sum === 0;
  }

  toRow(): WindowRow {
    return { bucket: this.#bucket, counts: [...this.#counts] };
  }

  static ofRow(row: WindowRow): SlidingWindow {
    const window = new SlidingWindow();
    window.#bucket = row.bucket;
    for (let at = 0; at < bucketCount; at++) window.#counts[at] = row.counts[at] ?? 0;
    window.#sum = window.#counts.reduce((sum, count) => sum + count, 0);
    return window;
  }

  #countOf(bucket: number): number {
    return bucket > this.#bucket || bucket <= this.#bucket - bucketCount
      ? 0
      : (this.#counts[bucket % bucketCount] as number);
  }

  #add(bucket: number, count: number): void {
    const at = bucket % bucketCount;
    this.#counts[at] = (this.#counts[at] as number) + count;
    this.#sum += count;
  }

  /** Forgets the buckets that leave the window; L2: never moves back. */
  #moveTo(bucket: number): void {
    const steps = Math.min(bucket - this.#bucket, bucketCount);
    if (steps <= 0) return;
    for (let step = 0; step < steps; step++) {
      const at = (bucket - step) % bucketCount;
      this.#sum -= this.#counts[at] as number;
      this.#counts[at] = 0;
    }
    this.#bucket = bucket;
  }

  /** Until `count` are there that are not there now: when full, the next free ones; else the next one to come back. */
  #resetMs(limit: number, nowMs: number, count: number): number {
    let left = Math.max(this.#sum + count - 1 - limit, 0);
    for (let bucket = this.#bucket - bucketCount + 1; bucket <= this.#bucket; bucket++) {
      left -= this.#countOf(bucket);
      if (left < 0) return (bucket + bucketCount) * bucketMs - nowMs;
    }
    return 0;
  }
}
