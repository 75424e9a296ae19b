/**
 * How many in any window of time: by default sixty seconds in seven buckets of ten, of which the current one and the six
 * before count.
 *
 * L1  Never over: sixty seconds touch at most seven buckets, and all seven are counted. The price is that a taken
 *     token comes back after 60 to 70 seconds, never earlier.
 * L2  Time never goes back: a clock that does is taken to stand still.
 *
 * Pure. Must not know: who is counted, or where the counts live.
 */
import { edgeLimits } from '../limits.ts';
import type { Take } from './limiter.ts';

export interface WindowShape {
  readonly bucketMs: number;
  readonly bucketCount: number;
}

export const minuteShape: WindowShape = { bucketMs: edgeLimits.bucketMs, bucketCount: edgeLimits.bucketCount };
export const burstShape: WindowShape = {
  bucketMs: edgeLimits.burstBucketMs,
  bucketCount: edgeLimits.burstBucketCount,
};

export interface WindowRow {
  readonly bucket: number;
  readonly counts: readonly number[];
}

export class SlidingWindow {
  readonly #shape: WindowShape;
  /** Number of the newest bucket, since the epoch. */
  #bucket = 0;
  /** Ring: bucket b is counted at b modulo their number. */
  readonly #counts: number[];
  #sum = 0;

  constructor(shape: WindowShape = minuteShape) {
    this.#shape = shape;
    this.#counts = Array.from({ length: shape.bucketCount }, () => 0);
  }

  /** All of `count`, or none. */
  take(limit: number, nowMs: number, count = 1): Take {
    const left = this.left(limit, nowMs);
    const atMs = this.timeOf(nowMs);
    if (left < count) {
      return { allowed: false, remaining: Math.max(left, 0), resetMs: this.resetMs(limit, nowMs, count), atMs };
    }
    this.add(count);
    return { allowed: true, remaining: left - count, resetMs: this.resetMs(limit, nowMs, 1), atMs };
  }

  /** How many may be taken now; negative when a limit has shrunk. */
  left(limit: number, nowMs: number): number {
    this.#moveTo(Math.floor(nowMs / this.#shape.bucketMs));
    return limit - this.#sum;
  }

  /** Counts so many now: at the time that was last asked about. */
  add(count: number): void {
    this.#add(this.#bucket, count);
  }

  /** The time that counts (L2). */
  timeOf(nowMs: number): number {
    return Math.max(nowMs, this.bucketStartMs);
  }

  /** Of the newest bucket. */
  get bucketStartMs(): number {
    return this.#bucket * this.#shape.bucketMs;
  }

  /** Undoes takes of one time; without effect once their bucket no longer counts. */
  giveBack(atMs: number, count = 1): void {
    const bucket = Math.floor(atMs / this.#shape.bucketMs);
    if (bucket <= this.#bucket) this.#add(bucket, -Math.min(count, this.#countOf(bucket)));
  }

  /** Until `count` are there that are not there now: when full, the next free ones; else the next one to come back. */
  resetMs(limit: number, nowMs: number, count: number): number {
    const { bucketMs, bucketCount } = this.#shape;
    const atMs = this.timeOf(nowMs);
    let left = Math.max(this.#sum + count - 1 - limit, 0);
    for (let bucket = this.#bucket - bucketCount + 1; bucket <= this.#bucket; bucket++) {
      left -= this.#countOf(bucket);
      if (left < 0) return (bucket + bucketCount) * bucketMs - atMs;
    }
    return 0;
  }

  /** Counts at least as much as `other` does, bucket by bucket. */
  cover(other: SlidingWindow): void {
    this.#moveTo(other.#bucket);
    for (let bucket = this.#bucket - this.#shape.bucketCount + 1; bucket <= this.#bucket; bucket++) {
      const lacking = other.#countOf(bucket) - this.#countOf(bucket);
      if (lacking > 0) this.#add(bucket, lacking);
    }
  }

  /** Whether nothing counts any more at `nowMs`. */
  isEmpty(nowMs: number): boolean {
    this.#moveTo(Math.floor(nowMs / this.#shape.bucketMs));
    return this.#sum === 0;
  }

  toRow(): WindowRow {
    return { bucket: this.#bucket, counts: [...this.#counts] };
  }

  static ofRow(row: WindowRow, shape: WindowShape = minuteShape): SlidingWindow {
    const window = new SlidingWindow(shape);
    window.#bucket = row.bucket;
    for (let at = 0; at < shape.bucketCount; at++) window.#counts[at] = row.counts[at] ?? 0;
    window.#sum = window.#counts.reduce((sum, count) => sum + count, 0);
    return window;
  }

  #countOf(bucket: number): number {
    const { bucketCount } = this.#shape;
    return bucket > this.#bucket || bucket <= this.#bucket - bucketCount
      ? 0
      : (this.#counts[bucket % bucketCount] as number);
  }

  #add(bucket: number, count: number): void {
    if (count === 0) return;
    const at = bucket % this.#shape.bucketCount;
    this.#counts[at] = (this.#counts[at] as number) + count;
    this.#sum += count;
  }

  /** Forgets the buckets that leave the window; L2: never moves back. */
  #moveTo(bucket: number): void {
    const { bucketCount } = this.#shape;
    const steps = Math.min(bucket - this.#bucket, bucketCount);
    if (steps <= 0) return;
    for (let step = 0; step < steps; step++) {
      const at = (bucket - step) % bucketCount;
      this.#sum -= this.#counts[at] as number;
      this.#counts[at] = 0;
    }
    this.#bucket = bucket;
  }
}
