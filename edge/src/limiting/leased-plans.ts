/**
 * Plans that all isolates count together, without asking for every request: an isolate takes so many requests of a plan
 * from the shared counter (plan-counter.ts) at once, and hands them out by itself.
 *
 * G1  Never over: what is handed out here was counted there first, and is used within its bucket, measured from before it
 *     was asked for. What is left at the end of its time goes back with the next question; what cannot is lost.
 * G2  Slightly under: an isolate keeps at most a share of a plan without need (`spareMax`: a twentieth of the minute's, a
 *     thousandth of the month's) and a quarter of what was left when it asked. That much another isolate may be refused,
 *     until the bucket's end and this isolate's next question, or a minute; of the month, what a dying isolate held.
 * G3  How much is taken ahead grows with use, and shrinks when half of it was for nothing. More is asked for before it runs
 *     out, so that callers seldom wait; those who have to, wait for one question together (cache/question.ts).
 * G4  A refusal is remembered for `refusedMemoMs` at most: a flood costs the counter one question in that time.
 * G5  When the counter throws or is later than `counterBudgetMs`, the isolate counts by itself for `counterRetryMs`, says so
 *     with the take, and it is reported: so each isolate admits no more than the plan, and refuses nobody who keeps to it.
 */
import { LRUCache } from 'lru-cache';
import { Question } from '../cache/question.ts';
import { withDeadline } from '../deadline.ts';
import { edgeLimits } from '../limits.ts';
import type { Ports } from '../ports.ts';
import type { MemoryPlans } from './memory-plans.ts';
import {
  isSamePlan,
  type Lefts,
  type Plan,
  type PlanLimiter,
  type PlanTake,
  spareMax,
  type WaitUntil,
} from './plan.ts';
import type { Ask, Lease, Unused } from './plan-counter.ts';

/** What is used of a Durable Object namespace; structural, so that nothing here depends on Workers. */
export interface PlanCounters<Id = unknown> {
  idFromName(name: string): Id;
  get(id: Id): { lease(plan: Plan, ask: Ask): Promise<Lease> };
}

/** What the isolate holds of one caller's plan. Times are the isolate's. */
interface Holding {
  plan: Plan;
  tokens: number;
  /** How many came with the last lease. */
  granted: number;
  /** The counter's name of the bucket. */
  atMs: number;
  sinceMs: number;
  untilMs: number;
  left: Lefts;
  /** How many it would like to have ahead of need. */
  spare: number;
  /** Who waits for the question that is under way, or was last. */
  batch: Batch;
  unused: Unused | null;
  refusedUntilMs: number;
  /** Of the refusal that is remembered. */
  freeAtMs: number;
  awayUntilMs: number;
  readonly question: Question<'need' | 'ahead'>;
}

/** Those who wait for one question, and how many of them have got a token by it. */
interface Batch {
  joined: number;
  served: number;
}

const { counterBudgetMs, counterRetryMs, refusedMemoMs, leaseAheadMs, leaseLeftShare, plansMax } = edgeLimits;
const nothing: Lefts = { burst: null, minute: null, month: null };
const LATE = `the counter took more than ${counterBudgetMs} ms`;

export class LeasedPlans<Id> implements PlanLimiter {
  readonly #counters: PlanCounters<Id>;
  readonly #standIn: MemoryPlans;
  readonly #ports: Pick<Ports, 'steadyMs' | 'report'>;
  readonly #holdings = new LRUCache<string, Holding>({ max: plansMax });

  /** @param standIn counts while the shared counter is away */
  constructor(counters: PlanCounters<Id>, standIn: MemoryPlans, ports: Pick<Ports, 'steadyMs' | 'report'>) {
    this.#counters = counters;
    this.#standIn = standIn;
    this.#ports = ports;
  }

  take(key: string, plan: Plan, count: number, waitUntil: WaitUntil): PlanTake | Promise<PlanTake> {
    const steadyMs = this.#ports.steadyMs();
    const holding = this.#holdingOf(key, plan, steadyMs);
    if (steadyMs < holding.awayUntilMs) return this.#alone(key, plan, count);
    if (holding.tokens >= count) {
      holding.tokens -= count;
      if (holding.tokens * leaseLeftShare < holding.spare) this.#askAhead(key, holding, waitUntil);
      return allowed(holding, steadyMs);
    }
    if (count > 1) return this.#takeMany(key, holding, count, waitUntil);
    if (steadyMs < holding.refusedUntilMs) return refused(holding, steadyMs);
    return this.#wait(key, holding, waitUntil);
  }

  giveBack(key: string, take: PlanTake, count: number): void {
    if (take.standIn) return this.#standIn.giveBack(key, take, count);
    const holding = this.#holdings.get(key);
    if (holding === undefined) return;
    holding.refusedUntilMs = 0;
    // A token of another bucket must not be used in this one (G1).
    if (holding.atMs === take.atMs && this.#ports.steadyMs() < holding.untilMs) holding.tokens += count;
    else putAside(holding, { atMs: take.atMs, count });
  }

  /** Waits for a token that is asked for, here or by another request. Whoever was not served asks on. */
  async #wait(key: string, holding: Holding, waitUntil: WaitUntil): Promise<PlanTake> {
    const startedAtMs = this.#ports.steadyMs();
    for (;;) {
      const { plan, question } = holding;
      const asked = question.ask('need', 0, waitUntil, () => this.#ask(key, holding, 1));
      const { batch } = holding;
      batch.joined++;
      await question.answered(asked, counterBudgetMs);
      batch.joined--;
      const steadyMs = this.#ports.steadyMs();
      if (batch.served > 0) {
        batch.served--;
        return allowed(holding, steadyMs);
      }
      // Another question was quicker than the look at this one.
      expire(holding, steadyMs);
      if (holding.tokens > 0) {
        holding.tokens--;
        return allowed(holding, steadyMs);
      }
      if (steadyMs < holding.refusedUntilMs) return refused(holding, steadyMs);
      const isLate = asked?.isOver === false || steadyMs - startedAtMs >= counterBudgetMs;
      if (isLate && steadyMs >= holding.awayUntilMs) this.#isAway(holding, new Error(LATE));
      if (steadyMs < holding.awayUntilMs) return this.#alone(key, plan, 1);
    }
  }

  /** Many at once are asked for by themselves: they are rare, and must not wait for luck. */
  async #takeMany(key: string, holding: Holding, count: number, waitUntil: WaitUntil): Promise<PlanTake> {
    const { plan } = holding;
    const startedAtMs = this.#ports.steadyMs();
    dropTokens(holding);
    const asking = this.#lease(key, holding, { must: count, more: 0, spare: 0 });
    waitUntil(asking.catch(() => undefined));
    try {
      const lease = await withDeadline(counterBudgetMs, asking, () => {
        throw new Error(LATE);
      });
      const { granted, left, retryMs, atMs } = lease;
      const ageMs = this.#ports.steadyMs() - startedAtMs;
      return { allowed: granted === count, retryMs, left, ageMs, leased: 0, atMs };
    } catch (cause) {
      this.#isAway(holding, cause);
      return this.#alone(key, plan, count);
    }
  }

  #askAhead(key: string, holding: Holding, waitUntil: WaitUntil): void {
    if (this.#ports.steadyMs() < holding.refusedUntilMs) return;
    holding.question.ask('ahead', leaseAheadMs, waitUntil, () => this.#ask(key, holding, 0));
  }

  /** One question; what it brings is kept, however late it is. Never rejects. */
  async #ask(key: string, holding: Holding, must: 0 | 1): Promise<void> {
    const { plan } = holding;
    const sentAtMs = this.#ports.steadyMs();
    const { spare, batch: before } = holding;
    const more = Math.max(before.joined - must, 0);
    const batch = { joined: 0, served: 0 };
    holding.batch = batch;
    holding.spare = Math.min(Math.max(spare, 1) * 2, spareMax(plan));
    try {
      const lease = await this.#lease(key, holding, { must, more, spare });
      this.#land(holding, plan, lease, { sentAtMs, must, batch });
    } catch (cause) {
      this.#isAway(holding, cause);
    }
  }

  async #lease(key: string, holding: Holding, ask: Omit<Ask, 'unused'>): Promise<Lease> {
    const { unused, plan } = holding;
    holding.unused = null;
    return this.#counters.get(this.#counters.idFromName(key)).lease(plan, { ...ask, unused });
  }

  #land(
    holding: Holding,
    plan: Plan,
    { granted, leaseMs, atMs, left, retryMs }: Lease,
    { sentAtMs, must, batch }: { sentAtMs: number; must: 0 | 1; batch: Batch },
  ): void {
    if (granted === 0) {
      if (must === 0) return;
      holding.refusedUntilMs = sentAtMs + Math.max(1, Math.min(retryMs, refusedMemoMs));
      holding.freeAtMs = sentAtMs + retryMs;
      holding.left = left;
      return;
    }
    // Those who wait use theirs now, which is when the counter counted them.
    batch.served = Math.min(granted, batch.joined);
    const count = granted - batch.served;
    if (!isSamePlan(holding.plan, plan)) return putAside(holding, { atMs, count });
    if (holding.atMs !== atMs) dropTokens(holding);
    holding.untilMs = Math.min(holding.tokens > 0 ? holding.untilMs : Number.POSITIVE_INFINITY, sentAtMs + leaseMs);
    holding.sinceMs = sentAtMs;
    holding.tokens += count;
    holding.granted = granted;
    holding.atMs = atMs;
    holding.left = left;
    holding.refusedUntilMs = 0;
  }

  #isAway(holding: Holding, cause: unknown): void {
    holding.awayUntilMs = this.#ports.steadyMs() + counterRetryMs;
    this.#ports.report('counter_away', cause);
  }

  #alone(key: string, plan: Plan, count: number): PlanTake {
    return { ...this.#standIn.take(key, plan, count), standIn: true };
  }

  #holdingOf(key: string, plan: Plan, steadyMs: number): Holding {
    let holding = this.#holdings.get(key);
    if (holding === undefined) {
      const question = new Question<'need' | 'ahead'>({ steadyMs: this.#ports.steadyMs, givenUpMs: counterBudgetMs });
      holding = { ...empty, batch: { joined: 0, served: 0 }, plan, question };
      this.#holdings.set(key, holding);
    }
    expire(holding, steadyMs);
    if (!isSamePlan(holding.plan, plan)) {
      dropTokens(holding);
      holding.plan = plan;
      holding.spare = 0;
      holding.refusedUntilMs = 0;
    }
    return holding;
  }
}

const empty = {
  tokens: 0,
  granted: 0,
  atMs: 0,
  sinceMs: 0,
  untilMs: 0,
  left: nothing,
  spare: 0,
  unused: null,
  refusedUntilMs: 0,
  freeAtMs: 0,
  awayUntilMs: 0,
} as const;

/** Past its time, or before it: a clock that went back must not make a lease longer. */
function expire(holding: Holding, steadyMs: number): void {
  if (holding.tokens === 0 || (steadyMs < holding.untilMs && steadyMs >= holding.sinceMs)) return;
  if (holding.tokens * 2 > holding.granted) holding.spare = Math.floor(holding.spare / 2);
  dropTokens(holding);
}

function dropTokens(holding: Holding): void {
  putAside(holding, { atMs: holding.atMs, count: holding.tokens });
  holding.tokens = 0;
}

/** To go back with the next question. Of two buckets the larger part; the other is lost (G2). */
function putAside(holding: Holding, unused: Unused): void {
  if (unused.count === 0) return;
  const before = holding.unused;
  if (before?.atMs === unused.atMs) holding.unused = { atMs: unused.atMs, count: before.count + unused.count };
  else if (before === null || before.count < unused.count) holding.unused = unused;
}

function allowed({ left, sinceMs, tokens, atMs }: Holding, steadyMs: number): PlanTake {
  return { allowed: true, retryMs: 0, left, ageMs: steadyMs - sinceMs, leased: tokens, atMs };
}

function refused({ left, freeAtMs, atMs }: Holding, steadyMs: number): PlanTake {
  return { allowed: false, retryMs: Math.max(freeAtMs - steadyMs, 0), left, ageMs: 0, leased: 0, atMs };
}
