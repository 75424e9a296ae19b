/** How many in a calendar month, UTC. Pure; like a window, it never goes back (L2). */
export interface MonthRow {
  readonly startMs: number;
  readonly count: number;
}

export class MonthCount {
  #startMs = 0;
  #endMs = 0;
  #count = 0;

  static ofRow({ startMs, count }: MonthRow): MonthCount {
    const month = new MonthCount();
    month.#begin(startMs);
    month.#count = count;
    return month;
  }

  toRow(): MonthRow {
    return { startMs: this.#startMs, count: this.#count };
  }

  left(limit: number, nowMs: number): number {
    this.#moveTo(nowMs);
    return limit - this.#count;
  }

  /** Counts so many now: in the month that was last asked about. */
  add(count: number): void {
    this.#count += count;
  }

  /** Undoes takes of one time; without effect once their month is over. */
  giveBack(atMs: number, count: number): void {
    if (atMs >= this.#startMs && atMs < this.#endMs) this.#count -= Math.min(count, this.#count);
  }

  resetMs(nowMs: number): number {
    return Math.max(this.#endMs - nowMs, 0);
  }

  isEmpty(nowMs: number): boolean {
    this.#moveTo(nowMs);
    return this.#count === 0;
  }

  #moveTo(nowMs: number): void {
    if (nowMs < this.#endMs) return;
    const now = new Date(nowMs);
    this.#begin(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()));
    this.#count = 0;
  }

  #begin(startMs: number): void {
    const start = new Date(startMs);
    this.#startMs = startMs;
    this.#endMs = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
  }
}

/** Of the month that holds this moment. */
export function monthSeconds(nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return (Date.UTC(year, month + 1) - Date.UTC(year, month)) / 1_000;
}
