/**
 * The limiter that all isolates share: one Durable Object per key counts, with its own clock (object.ts).
 *
 * When the object throws, or is later than `counterBudgetMs`, the isolate's memory counts instead, and the trouble is
 * reported. So the limit never fails open (each isolate still admits no more than the limit) and never fails closed
 * (an outage of the counter refuses nobody who keeps to it).
 */
import { withDeadline } from '../deadline.ts';
import { edgeLimits } from '../limits.ts';
import type { Ports } from '../ports.ts';
import type { RateLimiter, Take } from './limiter.ts';

/** What is used of a Durable Object namespace; structural, so that nothing here depends on Workers. */
export interface Counters<Id = unknown> {
  idFromName(name: string): Id;
  get(id: Id): { take(limit: number): Promise<Take>; giveBack(atMs: number): Promise<void> };
}

export class DurableLimiter<Id> implements RateLimiter {
  readonly #counters: Counters<Id>;
  readonly #standIn: RateLimiter;
  readonly #report: Ports['report'];

  constructor(counters: Counters<Id>, standIn: RateLimiter, report: Ports['report']) {
    this.#counters = counters;
    this.#standIn = standIn;
    this.#report = report;
  }

  async take(key: string, limit: number, nowMs: number): Promise<Take> {
    try {
      return await withDeadline(edgeLimits.counterBudgetMs, this.#counterOf(key).take(limit), late);
    } catch (cause) {
      this.#report('counter_away', cause);
      return { ...(await this.#standIn.take(key, limit, nowMs)), standIn: true };
    }
  }

  async giveBack(key: string, take: Take): Promise<void> {
    if (take.standIn) return this.#standIn.giveBack(key, take);
    try {
      await withDeadline(edgeLimits.counterBudgetMs, this.#counterOf(key).giveBack(take.atMs), late);
    } catch (cause) {
      this.#report('counter_away', cause);
    }
  }

  #counterOf(key: string): ReturnType<Counters<Id>['get']> {
    return this.#counters.get(this.#counters.idFromName(key));
  }
}

function late(): never {
  throw new Error(`the counter took more than ${edgeLimits.counterBudgetMs} ms`);
}
