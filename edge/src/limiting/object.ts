/**
 * The Durable Object that counts one address: one object per key, one window in it, so that every isolate in the
 * world counts against the same one. Workers only. A refused take changes nothing and writes nothing (counter-object.ts).
 */
import { edgeLimits } from '../limits.ts';
import { CounterObject, type RowKind } from './counter-object.ts';
import type { Take } from './limiter.ts';
import { SlidingWindow, type WindowRow } from './sliding-window.ts';

const row: RowKind<SlidingWindow, WindowRow> = {
  name: 'window',
  empty: () => new SlidingWindow(),
  read: (found) => SlidingWindow.ofRow(found),
};

export class RateLimiterObject extends CounterObject<SlidingWindow, WindowRow> {
  constructor(context: DurableObjectState, bindings: object) {
    super(context, bindings, row);
  }

  async take(limit: number, count = 1): Promise<Take> {
    const take = this.counts.take(limit, this.nowMs(), count);
    if (take.allowed) await this.write();
    return take;
  }

  async giveBack(atMs: number): Promise<void> {
    this.counts.giveBack(atMs);
    await this.write();
  }

  protected keepMs(): number {
    return this.counts.isEmpty(this.nowMs()) ? 0 : edgeLimits.counterIdleMs;
  }
}
