/**
 * What every counter of plans must do, whoever counts: run on the memory of a process (memory-plans.test.ts) and on leases
 * of the Durable Object in the real workerd, by one isolate and by several that share it (limits.test.ts).
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Plan, PlanLimiter } from '../src/limiting/plan.ts';

/** The beginning of a month, and of a bucket of every kind. */
export const monthMs = Date.UTC(2027, 0, 1);
const nextMonthMs = Date.UTC(2027, 1, 1);
const minuteMs = 60_000;
const burstMs = 10_000;
/** A window, and the bucket that it may begin in the middle of. */
const minuteForgottenMs = 70_000;
const burstForgottenMs = 12_000;

export const onlyMinute = (minute: number): Plan => ({ burst: null, minute, month: null });

export interface PlanBench {
  /** The isolates; each counts for the same callers. */
  readonly isolates: readonly PlanLimiter[];
  /** Sets everybody's clock. */
  setNow(nowMs: number): void;
  /** How many of a plan may be refused because other isolates hold them. */
  readonly heldMax: (plan: Plan) => number;
}

export interface PlanSuiteOptions {
  /** How many random histories to try. */
  readonly runs: number;
}

let callers = 0;
/** A caller that nobody knew before: histories must not meet. */
export const freshCaller = (): string => `caller ${callers++}`;

const history = fc.array(
  fc.record({
    passMs: fc.oneof(fc.integer({ min: 0, max: 2_500 }), fc.integer({ min: 0, max: 30_000 })),
    takes: fc.integer({ min: 1, max: 30 }),
    isolate: fc.nat(7),
  }),
  { minLength: 3, maxLength: 12 },
);

/** Over a plan it must refuse, below it (but for what others hold) it must allow; between, it may choose. */
function assertLawful(
  allowed: boolean,
  { burst, minute, month }: Plan,
  nowMs: number,
  allowedAt: readonly number[],
  held: number,
): void {
  const within = (ms: number): number => allowedAt.filter((atMs) => atMs > nowMs - ms).length;
  const inMonth = allowedAt.filter((atMs) => atMs >= nextMonthMs === nowMs >= nextMonthMs).length;
  const reaches = (count: number, limit: number | null): boolean => limit !== null && count >= limit;
  if (allowed) {
    const isOver = reaches(within(burstMs), burst) || reaches(within(minuteMs), minute) || reaches(inMonth, month);
    assert.ok(!isOver, `over the plan at ${nowMs}`);
    return;
  }
  const isDue =
    reaches(within(burstForgottenMs) + held, burst) ||
    reaches(within(minuteForgottenMs) + held, minute) ||
    reaches(inMonth + held, month);
  assert.ok(isDue, `refused below the plan at ${nowMs}`);
}

export function planSuite(name: string, benchOf: () => PlanBench, { runs }: PlanSuiteOptions): void {
  const behind = (work: Promise<unknown>): void => {
    work.catch(() => undefined);
  };
  const take = async (isolate: PlanLimiter, key: string, plan: Plan, count = 1) =>
    isolate.take(key, plan, count, behind);
  const pick = (at: number): PlanLimiter => {
    const { isolates } = benchOf();
    return isolates[at % isolates.length] as PlanLimiter;
  };
  const passed = async (count: number, key: string, plan: Plan): Promise<number> => {
    const takes = await Promise.all(Array.from({ length: count }, (_, at) => take(pick(at), key, plan)));
    return takes.filter(({ allowed }) => allowed).length;
  };
  const assertPassed = (actual: number, plan: Plan, limit: number): void => {
    assert.ok(actual <= limit, `${actual} of ${limit} passed`);
    assert.ok(actual >= limit - benchOf().heldMax(plan), `only ${actual} of ${limit} passed`);
  };

  describe(`${name} as a counter of plans`, () => {
    it('lets the minute’s of many at once pass, never more', async () => {
      const key = freshCaller();
      const plan = onlyMinute(200);
      benchOf().setNow(monthMs);
      assertPassed(await passed(1_000, key, plan), plan, 200);
      benchOf().setNow(monthMs + minuteForgottenMs);
      assertPassed(await passed(1_000, key, plan), plan, 200);
    });

    it('counts burst, minute and month at once, and a refusal on none of them', async () => {
      const key = freshCaller();
      const plan: Plan = { burst: 20, minute: 50, month: 120 };
      let all = 0;
      for (let round = 0; round < 20; round++) {
        benchOf().setNow(monthMs + round * burstForgottenMs);
        const count = await passed(60, key, plan);
        assert.ok(count <= 20);
        all += count;
      }
      assertPassed(all, { ...plan, burst: null }, 120);
      benchOf().setNow(nextMonthMs);
      assertPassed(await passed(60, key, plan), plan, 20);
    });

    it('is never over, in any window, over any edge of one, however isolates take turns (P1)', async () => {
      const plans = fc.constantFrom<Plan>(
        { burst: 40, minute: 100, month: 400 },
        { burst: null, minute: 100, month: null },
        { burst: 60, minute: null, month: null },
        { burst: null, minute: 120, month: 2_000 },
      );
      await fc.assert(
        fc.asyncProperty(plans, history, fc.integer({ min: -200_000, max: 9_999 }), async (plan, steps, offsetMs) => {
          const key = freshCaller();
          const allowedAt: number[] = [];
          let nowMs = nextMonthMs + offsetMs;
          for (const { passMs, takes, isolate } of steps) {
            nowMs += passMs;
            benchOf().setNow(nowMs);
            for (let count = 0; count < takes; count++) {
              const { allowed } = await take(pick(isolate), key, plan);
              assertLawful(allowed, plan, nowMs, allowedAt, benchOf().heldMax(plan));
              if (allowed) allowedAt.push(nowMs);
            }
          }
        }),
        { numRuns: runs },
      );
    });

    it('takes many at once, all or none, and gives back', async () => {
      const key = freshCaller();
      const plan = onlyMinute(10);
      const [one] = [pick(0)];
      benchOf().setNow(monthMs);
      const first = await take(one, key, plan, 6);
      assert.ok(first.allowed);
      const refused = await take(one, key, plan, 5);
      assert.deepEqual([refused.allowed, refused.left.minute?.remaining], [false, 4]);
      benchOf().setNow(monthMs + refused.retryMs - 1);
      assert.ok(!(await take(one, key, plan, 5)).allowed);
      benchOf().setNow(monthMs + refused.retryMs);
      const again = await take(one, key, plan, 5);
      assert.ok(again.allowed);
      one.giveBack(key, again, 5);
      assert.ok((await take(one, key, plan, 10)).allowed);
      assert.ok(!(await take(one, key, plan)).allowed);
    });

    it('says when the next is allowed, by the count that takes longest, and keeps its word', async () => {
      const key = freshCaller();
      const plan: Plan = { burst: 2, minute: 3, month: null };
      const one = pick(0);
      benchOf().setNow(monthMs);
      for (let count = 0; count < 2; count++) assert.ok((await take(one, key, plan)).allowed);
      const burst = await take(one, key, plan);
      assert.ok(!burst.allowed && burst.retryMs <= burstForgottenMs);
      benchOf().setNow(monthMs + burst.retryMs);
      assert.ok((await take(one, key, plan)).allowed);
      const minute = await take(one, key, plan);
      assert.ok(!minute.allowed && minute.retryMs > burstForgottenMs && minute.retryMs <= minuteForgottenMs);
      benchOf().setNow(monthMs + burst.retryMs + minute.retryMs - 1);
      assert.ok(!(await take(one, key, plan)).allowed);
      benchOf().setNow(monthMs + burst.retryMs + minute.retryMs);
      assert.ok((await take(one, key, plan)).allowed);
    });

    it('counts each caller by itself, and follows a plan that changes', async () => {
      const [left, right] = [freshCaller(), freshCaller()];
      benchOf().setNow(monthMs);
      assert.ok((await take(pick(0), left, onlyMinute(1))).allowed);
      assert.ok((await take(pick(0), right, onlyMinute(1))).allowed);
      assert.ok(!(await take(pick(0), left, onlyMinute(1))).allowed);
      assert.ok((await take(pick(0), left, onlyMinute(2))).allowed);
      const quota: Plan = { burst: null, minute: 100, month: 2 };
      const late = await take(pick(0), left, quota);
      assert.ok(!late.allowed && late.left.month?.remaining === 0, 'a quota that comes later finds the month counted');
    });
  });
}
