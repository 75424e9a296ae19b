/**
 * The Durable Object that counts one address: one object per key, one window in it, so that every isolate in the
 * world counts against the same one. Workers only.
 *
 * The platform drops an idle object's memory after seconds, so an allowed take is also written down (the answer waits
 * for that write: the output gate of Durable Objects); a refused one changes nothing and writes nothing. The clock is
 * the object's own: what several isolates believe the time to be cannot stretch the window. The row is deleted by an
 * alarm when nothing in it counts any more.
 */
import { DurableObject } from 'cloudflare:workers';
import { edgeLimits } from '../limits.ts';
import type { Take } from './limiter.ts';
import { SlidingWindow, type WindowRow } from './sliding-window.ts';

const ROW = 'window';

export class RateLimiterObject extends DurableObject<object> {
  #window = new SlidingWindow();
  #hasAlarm = false;

  constructor(context: DurableObjectState, bindings: object) {
    super(context, bindings);
    context.blockConcurrencyWhile(async () => {
      const row = await context.storage.get<WindowRow>(ROW);
      if (row) this.#window = SlidingWindow.ofRow(row);
      this.#hasAlarm = (await context.storage.getAlarm()) !== null;
    });
  }

  async take(limit: number, count = 1): Promise<Take> {
    const take = this.#window.take(limit, this.nowMs(), count);
    if (take.allowed) await this.#write();
    return take;
  }

  async giveBack(atMs: number): Promise<void> {
    this.#window.giveBack(atMs);
    await this.#write();
  }

  override async alarm(): Promise<void> {
    this.#hasAlarm = false;
    if (this.#window.isEmpty(this.nowMs())) await this.ctx.storage.deleteAll();
    else await this.#setAlarm();
  }

  protected nowMs(): number {
    return Date.now();
  }

  async #write(): Promise<void> {
    await this.ctx.storage.put(ROW, this.#window.toRow());
    if (!this.#hasAlarm) await this.#setAlarm();
  }

  async #setAlarm(): Promise<void> {
    this.#hasAlarm = true;
    await this.ctx.storage.setAlarm(Date.now() + edgeLimits.counterIdleMs);
  }
}
