/**
 * The Durable Object that counts one caller's plan: one object per API key, customer or tenant, so that every isolate in
 * the world takes its leases (plan-counter.ts) from the same counts. Workers only.
 *
 * What is handed out is written down before it is answered (the output gate of Durable Objects): an object that loses its
 * memory knows of every lease. The clock is the object's own. The row is deleted by an alarm when nothing in it counts any
 * more, which is at the end of the month at the earliest.
 */
import { DurableObject } from 'cloudflare:workers';
import { edgeLimits } from '../limits.ts';
import { CallerCounts, type CallerRow } from './caller-counts.ts';
import type { Plan } from './plan.ts';
import { type Ask, type Lease, leaseOf } from './plan-counter.ts';

const ROW = 'counts';

export class PlanObject extends DurableObject<object> {
  #counts = new CallerCounts();
  #hasAlarm = false;

  constructor(context: DurableObjectState, bindings: object) {
    super(context, bindings);
    context.blockConcurrencyWhile(async () => {
      const row = await context.storage.get<CallerRow>(ROW);
      if (row) this.#counts = CallerCounts.ofRow(row);
      this.#hasAlarm = (await context.storage.getAlarm()) !== null;
    });
  }

  async lease(plan: Plan, ask: Ask): Promise<Lease> {
    const lease = leaseOf(this.#counts, plan, ask, this.nowMs());
    if (lease.granted > 0 || ask.unused !== null) await this.#write();
    return lease;
  }

  override async alarm(): Promise<void> {
    this.#hasAlarm = false;
    if (this.#keepMs() === 0) await this.ctx.storage.deleteAll();
    else await this.#setAlarm();
  }

  protected nowMs(): number {
    return Date.now();
  }

  #keepMs(): number {
    return this.#counts.keepMs(this.nowMs(), edgeLimits.counterIdleMs);
  }

  async #write(): Promise<void> {
    await this.ctx.storage.put(ROW, this.#counts.toRow());
    if (!this.#hasAlarm) await this.#setAlarm();
  }

  async #setAlarm(): Promise<void> {
    this.#hasAlarm = true;
    await this.ctx.storage.setAlarm(Date.now() + Math.max(this.#keepMs(), edgeLimits.counterIdleMs));
  }
}
