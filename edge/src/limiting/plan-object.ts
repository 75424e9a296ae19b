/**
 * The Durable Object that counts one caller's plan: one object per API key, customer or tenant, so that every isolate in
 * the world takes its leases (plan-counter.ts) from the same counts. Workers only. An object that loses its memory knows of
 * every lease (counter-object.ts); its row is kept to the end of the month at the earliest.
 */
import { edgeLimits } from '../limits.ts';
import { CallerCounts, type CallerRow } from './caller-counts.ts';
import { CounterObject, type RowKind } from './counter-object.ts';
import type { Plan } from './plan.ts';
import { type Ask, type Lease, leaseOf, momentOf } from './plan-counter.ts';

const row: RowKind<CallerCounts, CallerRow> = {
  name: 'counts',
  empty: () => new CallerCounts(),
  read: (found) => CallerCounts.ofRow(found),
};

export class PlanObject extends CounterObject<CallerCounts, CallerRow> {
  constructor(context: DurableObjectState, bindings: object) {
    super(context, bindings, row);
  }

  async lease(plan: Plan, ask: Ask): Promise<Lease> {
    const lease = leaseOf(this.counts, plan, ask, this.nowMs());
    if (lease.granted > 0 || ask.unused !== null) await this.write();
    return lease;
  }

  protected keepMs(): number {
    return this.counts.keepMs(momentOf(this.nowMs()), edgeLimits.counterIdleMs);
  }
}
