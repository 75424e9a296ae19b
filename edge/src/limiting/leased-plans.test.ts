/** Leases of a counter in the same process; those of the real Durable Object are in edge/test/limits.test.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshCaller, monthMs, onlyMinute, type PlanBench, planSuite } from '../../test/plan-suite.ts';
import { edgeLimits } from '../limits.ts';
import type { Trouble } from '../ports.ts';
import { CallerCounts } from './caller-counts.ts';
import { LeasedPlans, type PlanCounters } from './leased-plans.ts';
import { MemoryPlans } from './memory-plans.ts';
import { type Plan, spareMax } from './plan.ts';
import { type Ask, type Lease, leaseOf } from './plan-counter.ts';

const { counterBudgetMs, counterRetryMs, bucketMs } = edgeLimits;

/** One counter for all keys that are asked about, and isolates whose clocks are off by so much. */
function worldOf(skewsMs: readonly number[] = [0]) {
  const clock = { nowMs: monthMs };
  const counts = new Map<string, CallerCounts>();
  const asks: Ask[] = [];
  const troubles: Trouble[] = [];
  const world = {
    clock,
    asks,
    troubles,
    /** What a question comes to instead, while it is set. */
    answer: null as (() => Promise<Lease>) | null,
  };
  const counters: PlanCounters<string> = {
    idFromName: (name) => name,
    get: (key) => ({
      async lease(plan, ask) {
        asks.push(ask);
        if (world.answer !== null) return world.answer();
        await new Promise<void>((resolve) => setImmediate(resolve));
        const counted = counts.get(key) ?? new CallerCounts();
        counts.set(key, counted);
        return structuredClone(leaseOf(counted, plan, ask, clock.nowMs));
      },
    }),
  };
  const isolates = skewsMs.map((skewMs) => {
    const nowMs = () => clock.nowMs + skewMs;
    const ports = { nowMs, steadyMs: nowMs, report: (trouble: Trouble) => void troubles.push(trouble) };
    return new LeasedPlans(counters, new MemoryPlans(ports), ports);
  });
  return Object.assign(world, { isolates, counts });
}

function benchOf(skewsMs: readonly number[]): PlanBench {
  const world = worldOf(skewsMs);
  return {
    isolates: world.isolates,
    setNow: (nowMs) => {
      world.clock.nowMs = nowMs;
    },
    // What an isolate has and what it is to give back, of two buckets.
    heldMax: (plan) => (skewsMs.length - 1) * 3 * spareMax(plan),
  };
}

const one = benchOf([0]);
const several = benchOf([0, 3_600_000, -86_400_000, 17]);
planSuite('an isolate with leases', () => one, { runs: 100 });
planSuite('four isolates with leases, and clocks that are off,', () => several, { runs: 100 });

const behind: Promise<unknown>[] = [];
const later = (work: Promise<unknown>): void => {
  behind.push(work);
};
const settle = async (): Promise<void> => {
  while (behind.length > 0) await behind.shift();
};

describe('leases', () => {
  it('of a caller in use are asked for seldom, and nobody waits for them (G3)', async () => {
    const { isolates, asks, clock } = worldOf();
    const [plans] = isolates as [LeasedPlans<string>];
    const plan = onlyMinute(1_000_000);
    const key = freshCaller();
    let waited = 0;
    for (let count = 0; count < 15_000; count++) {
      if (count % 150 === 0) clock.nowMs += 100;
      const take = plans.take(key, plan, 1, later);
      if (take instanceof Promise) waited++;
      assert.ok((await take).allowed);
      await settle();
    }
    assert.ok(asks.length <= 30, `${asks.length} questions in ten seconds of 1,500 a second`);
    assert.ok(waited <= 20, `${waited} waited`);
  });

  it('are asked for once by many who come at once', async () => {
    const { isolates, asks } = worldOf();
    const [plans] = isolates as [LeasedPlans<string>];
    const key = freshCaller();
    const takes = await Promise.all(Array.from({ length: 500 }, () => plans.take(key, onlyMinute(100_000), 1, later)));
    assert.ok(takes.every(({ allowed }) => allowed));
    assert.ok(asks.length <= 4, `${asks.length} questions`);
  });

  it('that were not used go back with the next question', async () => {
    const { isolates, asks, clock } = worldOf([0, 0]);
    const [left, right] = isolates as [LeasedPlans<string>, LeasedPlans<string>];
    const key = freshCaller();
    const plan = onlyMinute(100);
    for (let count = 0; count < 10; count++) await left.take(key, plan, 1, later);
    await settle();
    clock.nowMs += bucketMs;
    const held = asks.reduce((sum, { must, more, spare }) => sum + must + more + spare, 0) - 10;
    assert.ok(held > 0 && held <= 2 * spareMax(plan), `${held} held`);
    assert.ok((await left.take(key, plan, 1, later)).allowed);
    assert.ok((asks.at(-1)?.unused?.count ?? 0) > 0);
    let passed = 11;
    while ((await right.take(key, plan, 1, later)).allowed) passed++;
    assert.ok(passed >= 100 - 2 * spareMax(plan), `${passed} passed`);
  });

  it('end with their bucket, and with a clock that goes back (G1)', async () => {
    for (const passMs of [bucketMs, -1]) {
      const { isolates, asks, clock } = worldOf();
      const [plans] = isolates as [LeasedPlans<string>];
      const key = freshCaller();
      for (let count = 0; count < 5; count++) await plans.take(key, onlyMinute(1_000), 1, later);
      await settle();
      const before = asks.length;
      assert.ok(!(plans.take(key, onlyMinute(1_000), 1, later) instanceof Promise), 'there is one left');
      clock.nowMs += passMs;
      assert.ok(plans.take(key, onlyMinute(1_000), 1, later) instanceof Promise);
      assert.equal(asks.length, before + 1);
      await settle();
    }
  });

  it('that come back after their bucket are used in no other one, and go back together', async () => {
    const { isolates, asks, clock } = worldOf();
    const [plans] = isolates as [LeasedPlans<string>];
    const key = freshCaller();
    const plan = onlyMinute(10);
    const early = [await plans.take(key, plan, 1, later), await plans.take(key, plan, 1, later)];
    clock.nowMs += bucketMs;
    await plans.take(key, plan, 1, later);
    for (const take of early) plans.giveBack(key, take, 1);
    const next = plans.take(key, plan, 1, later);
    assert.ok(next instanceof Promise, 'there is none to use');
    assert.deepEqual(asks.at(-1)?.unused, { atMs: monthMs, count: 2 });
    assert.equal((await next).left.minute?.remaining, 8);
    await settle();
  });

  it('of a request that died hold nobody up', async () => {
    const world = worldOf();
    const [plans] = world.isolates as [LeasedPlans<string>];
    const key = freshCaller();
    world.answer = () => new Promise(() => undefined);
    void plans.take(key, onlyMinute(10), 1, () => undefined);
    world.answer = null;
    world.clock.nowMs += counterBudgetMs;
    const take = await plans.take(key, onlyMinute(10), 1, later);
    assert.deepEqual([take.allowed, take.standIn], [true, undefined]);
  });

  it('are not asked for while a refusal holds (G4)', async () => {
    const { isolates, asks, clock } = worldOf();
    const [plans] = isolates as [LeasedPlans<string>];
    const key = freshCaller();
    const refused = async (): Promise<boolean> => !(await plans.take(key, onlyMinute(1), 1, later)).allowed;
    assert.equal(await refused(), false);
    for (let count = 0; count < 50; count++) assert.equal(await refused(), true);
    assert.equal(asks.length, 2);
    clock.nowMs += edgeLimits.refusedMemoMs;
    assert.equal(await refused(), true);
    assert.equal(asks.length, 3);
  });
});

describe('without the shared counter an isolate', () => {
  const plan: Plan = { burst: null, minute: 5, month: null };

  it('counts by itself, no more than the plan, says so, and asks again in a while (G5)', async () => {
    const world = worldOf();
    const [plans] = world.isolates as [LeasedPlans<string>];
    const key = freshCaller();
    world.answer = () => Promise.reject(new Error('overloaded'));
    const takes = [];
    for (let count = 0; count < 8; count++) takes.push(await plans.take(key, plan, 1, later));
    assert.deepEqual(
      takes.map(({ allowed, standIn }) => [allowed, standIn]),
      Array.from({ length: 8 }, (_, at) => [at < 5, true]),
    );
    assert.deepEqual([world.troubles, world.asks.length], [['counter_away'], 1]);
    assert.ok((await plans.take(freshCaller(), plan, 3, later)).standIn, 'also of many at once');
    world.clock.nowMs += counterRetryMs;
    world.answer = null;
    const take = await plans.take(key, plan, 1, later);
    assert.deepEqual([take.allowed, take.standIn], [true, undefined]);
  });

  it('does so too when it is late, and keeps what comes later', async (context) => {
    const world = worldOf();
    const [plans] = world.isolates as [LeasedPlans<string>];
    const key = freshCaller();
    const { promise, resolve } = Promise.withResolvers<Lease>();
    context.mock.timers.enable({ apis: ['setTimeout'] });
    world.answer = () => promise;
    const waiting = plans.take(key, plan, 1, later);
    for (let look = 0; look < 100; look++) {
      context.mock.timers.tick(counterBudgetMs);
      await new Promise<void>((done) => setImmediate(done));
    }
    // Deno leaves it on at the end of a test.
    context.mock.timers.reset();
    assert.equal((await waiting).standIn, true);
    assert.deepEqual(world.troubles, ['counter_away']);
    const left = { burst: null, minute: { remaining: 2, resetMs: 1 }, month: null };
    resolve({ granted: 3, leaseMs: 9_000, atMs: monthMs, retryMs: 0, left });
    await settle();
    world.clock.nowMs += counterRetryMs;
    const take = plans.take(key, plan, 1, later);
    assert.ok(!(take instanceof Promise) && take.allowed && take.standIn === undefined);
  });

  it('gives back to who counted', async () => {
    const world = worldOf();
    const [plans] = world.isolates as [LeasedPlans<string>];
    const key = freshCaller();
    world.answer = () => Promise.reject(new Error('away'));
    const takes = [];
    for (let count = 0; count < 5; count++) takes.push(await plans.take(key, plan, 1, later));
    assert.ok(!(await plans.take(key, plan, 1, later)).allowed);
    plans.giveBack(key, takes[0] as (typeof takes)[0], 1);
    assert.ok((await plans.take(key, plan, 1, later)).allowed);
  });
});
