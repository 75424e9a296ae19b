/**
 * What every limiter must do, whoever counts: run by memory-limiter.test.ts on the isolate's memory, and by
 * limiter-object.test.ts on the Durable Object in the real workerd.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RateLimiter } from '../src/limiting/limiter.ts';

const startMs = 1_800_000_000_000;
const windowMs = 60_000;
/** Sixty seconds and the bucket that they may begin in the middle of. */
const forgottenMs = 70_000;

export interface SuiteOptions {
  /** How many random histories to try. */
  readonly runs: number;
}

let keyCount = 0;
/** A key that nobody used before: histories must not meet. */
export const freshKey = (): string => `192.0.2.${keyCount++}`;

const history = fc.array(
  fc.record({ passMs: fc.integer({ min: 0, max: 25_000 }), takes: fc.integer({ min: 1, max: 5 }) }),
  { minLength: 5, maxLength: 25 },
);

function timesOf(steps: readonly { passMs: number; takes: number }[], beginMs: number): number[] {
  let nowMs = beginMs;
  return steps.flatMap(({ passMs, takes }) => {
    nowMs += passMs;
    return Array.from({ length: takes }, () => nowMs);
  });
}

/** Over the limit within sixty seconds it must refuse, below it within seventy it must allow; between, it may choose. */
function assertLawful(allowed: boolean, limit: number, nowMs: number, allowedAt: readonly number[]): void {
  const within = (ms: number): number => allowedAt.filter((atMs) => atMs > nowMs - ms).length;
  if (within(windowMs) >= limit) assert.ok(!allowed, `over the limit at ${nowMs}`);
  if (within(forgottenMs) < limit) assert.ok(allowed, `refused below the limit at ${nowMs}`);
}

export function limiterSuite(name: string, limiterOf: () => RateLimiter, { runs }: SuiteOptions): void {
  const take = async (key: string, limit: number, nowMs: number, count?: number) =>
    limiterOf().take(key, limit, nowMs, count);

  describe(`${name} as a limiter`, () => {
    it('lets exactly 100 of 1,000 at once pass', async () => {
      const key = freshKey();
      const takes = await Promise.all(Array.from({ length: 1_000 }, () => take(key, 100, startMs)));
      assert.equal(takes.filter(({ allowed }) => allowed).length, 100);
      assert.deepEqual(
        new Set(takes.map(({ remaining }) => remaining)),
        new Set(Array.from({ length: 100 }, (_, n) => n)),
      );
    });

    it('is never over in any sixty seconds, and forgets after seventy (L1)', async () => {
      const limit = 6;
      await fc.assert(
        fc.asyncProperty(history, fc.nat(9_999), async (steps, offsetMs) => {
          const key = freshKey();
          const allowedAt: number[] = [];
          for (const nowMs of timesOf(steps, startMs + offsetMs)) {
            const { allowed } = await take(key, limit, nowMs);
            assertLawful(allowed, limit, nowMs, allowedAt);
            if (allowed) allowedAt.push(nowMs);
          }
        }),
        { numRuns: runs },
      );
    });

    for (const offsetMs of [0, 1, 4_999, 9_999]) {
      it(`holds over the edge of a window that begins ${offsetMs} ms into a bucket`, async () => {
        const key = freshKey();
        const beginMs = startMs + offsetMs;
        for (let count = 0; count < 3; count++) assert.ok((await take(key, 3, beginMs)).allowed);
        assert.ok(!(await take(key, 3, beginMs + 1)).allowed);
        assert.ok(!(await take(key, 3, beginMs + windowMs - 1)).allowed);
        assert.ok((await take(key, 3, beginMs + forgottenMs)).allowed);
      });
    }

    it('says when the next is allowed, and keeps its word', async () => {
      const key = freshKey();
      await take(key, 2, startMs + 3_000);
      await take(key, 2, startMs + 15_000);
      const refused = await take(key, 2, startMs + 20_000);
      assert.ok(!refused.allowed && refused.remaining === 0);
      assert.ok(!(await take(key, 2, startMs + 20_000 + refused.resetMs - 1)).allowed);
      assert.ok((await take(key, 2, startMs + 20_000 + refused.resetMs)).allowed);
      assert.ok(!(await take(key, 2, startMs + 20_000 + refused.resetMs)).allowed);
    });

    it('takes many at once, all or none, and says when so many are there', async () => {
      const key = freshKey();
      assert.equal((await take(key, 10, startMs, 4)).remaining, 6);
      assert.equal((await take(key, 10, startMs + 10_000, 3)).remaining, 3);
      const refused = await take(key, 10, startMs + 20_000, 8);
      assert.deepEqual([refused.allowed, refused.remaining], [false, 3]);
      assert.equal((await take(key, 10, startMs + 20_000)).remaining, 2, 'a refused take takes nothing');
      const again = await take(key, 10, startMs + 20_000, 6);
      assert.ok(!(await take(key, 10, startMs + 20_000 + again.resetMs - 1, 6)).allowed);
      assert.ok((await take(key, 10, startMs + 20_000 + again.resetMs, 6)).allowed);
    });

    it('gives one back, once, and nothing after its time', async () => {
      const key = freshKey();
      const first = await take(key, 2, startMs);
      await take(key, 2, startMs);
      await limiterOf().giveBack(key, first);
      assert.ok((await take(key, 2, startMs + 10_000)).allowed);
      assert.ok(!(await take(key, 2, startMs + 10_000)).allowed);
      assert.ok((await take(key, 2, startMs + 75_000)).allowed);
      await limiterOf().giveBack(key, first);
      assert.ok((await take(key, 2, startMs + 80_000)).allowed);
      assert.ok(!(await take(key, 2, startMs + 80_000)).allowed);
    });

    it('is not fooled by a clock that goes back (L2)', async () => {
      const key = freshKey();
      assert.ok((await take(key, 1, startMs + 30_000)).allowed);
      assert.ok(!(await take(key, 1, startMs - 3_600_000)).allowed);
      assert.ok(!(await take(key, 1, startMs + 60_000)).allowed);
    });

    it('counts each key by itself', async () => {
      const [left, right] = [freshKey(), freshKey()];
      assert.ok((await take(left, 1, startMs)).allowed);
      assert.ok((await take(right, 1, startMs)).allowed);
      assert.ok(!(await take(left, 1, startMs)).allowed);
    });

    it('follows a limit that shrinks', async () => {
      const key = freshKey();
      for (let count = 0; count < 5; count++) await take(key, 5, startMs);
      const refused = await take(key, 2, startMs);
      assert.ok(!refused.allowed && refused.remaining === 0 && refused.resetMs > 0);
    });
  });
}
