/**
 * The limiter that all isolates share: one Durable Object per key counts, with its own clock (object.ts).
 *
 * When the object throws, or is later than `counterBudgetMs`, the isolate's memory counts instead, and the trouble is
 * reported. So the limit never fails open (each isolate still admits no more than the limit) and never fails closed
 * (an outage of the counter refuses nobody who keeps to it).
 *
 * Then the isolate counts this key by itself for `counterRetryMs` before it asks again: of a counter that hangs not every
 * request learns it anew, each by waiting.
 *
 * A question that was given up is kept until it is answered (`keep`): a request that ends with a call under way makes the
 * platform cancel that call inside the object, in the middle of its write.
 *
 * A refusal is remembered by the isolate until the next token, for `refusedMemoMs` at most: a flood from one address is
 * turned away here, and costs its object one question in that time.
 */
import { LRUCache } from 'lru-cache';
import { withDeadline } from '../deadline.ts';
import { edgeLimits } from '../limits.ts';
import type { Ports } from '../ports.ts';
import type { RateLimiter, Take } from './limiter.ts';

/** What is used of a Durable Object namespace; structural, so that nothing here depends on Workers. */
export interface Counters<Id = unknown> {
  idFromName(name: string): Id;
  get(id: Id): { take(limit: number, count: number): Promise<Take>; giveBack(atMs: number): Promise<void> };
}

export class DurableLimiter<Id> implements RateLimiter {
  readonly #counters: Counters<Id>;
  readonly #standIn: RateLimiter;
  readonly #report: Ports['report'];
  readonly #keep: (work: Promise<unknown>) => void;
  readonly #refused = new LRUCache<string, { untilMs: number; freeAtMs: number }>({ max: edgeLimits.windowsMax });

  readonly #awayUntilMs = new LRUCache<string, number>({ max: edgeLimits.windowsMax });

  /** @param keep lets a call outlive the request that made it; it never rejects */
  constructor(
    counters: Counters<Id>,
    standIn: RateLimiter,
    report: Ports['report'],
    keep: (work: Promise<unknown>) => void,
  ) {
    this.#counters = counters;
    this.#standIn = standIn;
    this.#report = report;
    this.#keep = keep;
  }

  async take(key: string, limit: number, steadyMs: number, count = 1): Promise<Take> {
    const refused = this.#refused.get(key);
    if (refused && steadyMs < refused.untilMs) {
      return { allowed: false, remaining: 0, resetMs: refused.freeAtMs - steadyMs, atMs: steadyMs };
    }
    if (steadyMs < (this.#awayUntilMs.get(key) ?? 0)) return this.#alone(key, limit, steadyMs, count);
    try {
      const take = await this.#inTime(this.#counterOf(key).take(limit, count));
      // Who asked for many says nothing of who asks for one.
      if (!take.allowed && count === 1) this.#remember(key, take, steadyMs);
      return take;
    } catch (cause) {
      this.#awayUntilMs.set(key, steadyMs + edgeLimits.counterBudgetMs + edgeLimits.counterRetryMs);
      this.#report('counter_away', cause);
      return this.#alone(key, limit, steadyMs, count);
    }
  }

  async #alone(key: string, limit: number, steadyMs: number, count: number): Promise<Take> {
    return { ...(await this.#standIn.take(key, limit, steadyMs, count)), standIn: true };
  }

  async giveBack(key: string, take: Take): Promise<void> {
    this.#refused.delete(key);
    if (take.standIn) return this.#standIn.giveBack(key, take);
    try {
      await this.#inTime(this.#counterOf(key).giveBack(take.atMs));
    } catch (cause) {
      this.#report('counter_away', cause);
    }
  }

  #inTime<Value>(call: Promise<Value>): Promise<Value> {
    return withDeadline(edgeLimits.counterBudgetMs, call, () => {
      // What becomes of it is nobody's business any more.
      this.#keep(Promise.resolve(call).catch(() => undefined));
      throw new Error(`the counter took more than ${edgeLimits.counterBudgetMs} ms`);
    });
  }

  #remember(key: string, take: Take, steadyMs: number): void {
    const untilMs = steadyMs + Math.min(take.resetMs, edgeLimits.refusedMemoMs);
    this.#refused.set(key, { untilMs, freeAtMs: steadyMs + take.resetMs });
  }

  #counterOf(key: string): ReturnType<Counters<Id>['get']> {
    return this.#counters.get(this.#counters.idFromName(key));
  }
}
