/**
 * The limiter that all isolates share: one Durable Object per key counts, with its own clock (object.ts).
 *
 * When the object throws, or is later than `counterBudgetMs`, the isolate's memory counts instead, and the trouble is
 * reported. So the limit never fails open (each isolate still admits no more than the limit) and never fails closed
 * (an outage of the counter refuses nobody who keeps to it).
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
  get(id: Id): { take(limit: number): Promise<Take>; giveBack(atMs: number): Promise<void> };
}

export class DurableLimiter<Id> implements RateLimiter {
  readonly #counters: Counters<Id>;
  readonly #standIn: RateLimiter;
  readonly #report: Ports['report'];
  readonly #refused = new LRUCache<string, { untilMs: number; freeAtMs: number }>({ max: edgeLimits.windowsMax });

  constructor(counters: Counters<Id>, standIn: RateLimiter, report: Ports['report']) {
    this.#counters = counters;
    this.#standIn = standIn;
    this.#report = report;
  }

  async take(key: string, limit: number, nowMs: number): Promise<Take> {
    const refused = this.#refused.get(key);
    if (refused && nowMs < refused.untilMs) {
      return { allowed: false, remaining: 0, resetMs: refused.freeAtMs - nowMs, atMs: nowMs };
    }
    try {
      const take = await withDeadline(edgeLimits.counterBudgetMs, this.#counterOf(key).take(limit), late);
      if (!take.allowed) this.#remember(key, take, nowMs);
      return take;
    } catch (cause) {
      this.#report('counter_away', cause);
      return { ...(await this.#standIn.take(key, limit, nowMs)), standIn: true };
    }
  }

  async giveBack(key: string, take: Take): Promise<void> {
    this.#refused.delete(key);
    if (take.standIn) return this.#standIn.giveBack(key, take);
    try {
      await withDeadline(edgeLimits.counterBudgetMs, this.#counterOf(key).giveBack(take.atMs), late);
    } catch (cause) {
      this.#report('counter_away', cause);
    }
  }

  #remember(key: string, take: Take, nowMs: number): void {
    const untilMs = nowMs + Math.min(take.resetMs, edgeLimits.refusedMemoMs);
    this.#refused.set(key, { untilMs, freeAtMs: nowMs + take.resetMs });
  }

  #counterOf(key: string): ReturnType<Counters<Id>['get']> {
    return this.#counters.get(this.#counters.idFromName(key));
  }
}

function late(): never {
  throw new Error(`the counter took more than ${edgeLimits.counterBudgetMs} ms`);
}
