import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { edgeLimits } from '../limits.ts';
import type { Trouble } from '../ports.ts';
import { type Counters, DurableLimiter } from './durable-limiter.ts';
import type { Take } from './limiter.ts';
import { MemoryLimiter } from './memory-limiter.ts';

const nowMs = 1_800_000_000_000;
/** How long one is not asked again. */
const awayMs = edgeLimits.counterBudgetMs + edgeLimits.counterRetryMs;
const counted: Take = { allowed: true, remaining: 7, resetMs: 1, atMs: nowMs };

function limiterOver(take: () => Promise<Take>, giveBack: () => Promise<void> = async () => undefined) {
  const troubles: Trouble[] = [];
  const counters: Counters<string> = { idFromName: (name) => name, get: () => ({ take, giveBack }) };
  const kept: Promise<unknown>[] = [];
  const limiter = new DurableLimiter(
    counters,
    new MemoryLimiter(),
    (trouble) => troubles.push(trouble),
    (work) => kept.push(work),
  );
  return { limiter, troubles, kept };
}

describe('the shared counter', () => {
  it('counts, as long as it answers', async () => {
    const { limiter, troubles } = limiterOver(async () => counted);
    assert.deepEqual(await limiter.take('a', 1, nowMs), counted);
    assert.deepEqual(troubles, []);
  });

  it('is stood in for by the isolate when it throws: neither open nor closed, and reported', async () => {
    let asked = 0;
    const { limiter, troubles } = limiterOver(async () => {
      asked++;
      throw new Error('overloaded');
    });
    const takes = [];
    for (let count = 0; count < 5; count++) takes.push(await limiter.take('a', 2, nowMs));
    assert.deepEqual(
      takes.map(({ allowed }) => allowed),
      [true, true, false, false, false],
    );
    assert.deepEqual([troubles, asked], [['counter_away'], 1], 'it is not asked again at once');
    await limiter.take('b', 2, nowMs);
    assert.equal(asked, 2, 'another’s is');
    await limiter.take('a', 2, nowMs + awayMs - 1);
    assert.equal(asked, 2);
    await limiter.take('a', 2, nowMs + awayMs);
    assert.equal(asked, 3);
  });

  it('is stood in for when it is late', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { limiter, troubles, kept } = limiterOver(() => new Promise(() => undefined));
    const take = limiter.take('a', 2, nowMs);
    context.mock.timers.tick(edgeLimits.counterBudgetMs);
    // Deno leaves it on at the end of a test.
    context.mock.timers.reset();
    assert.ok((await take).standIn);
    assert.deepEqual([troubles, kept.length], [['counter_away'], 1]);
  });

  it('is not cut off when it is late: the call is kept, and what becomes of it harms nobody', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { promise, reject } = Promise.withResolvers<Take>();
    const { limiter, kept } = limiterOver(() => promise);
    const take = limiter.take('a', 2, nowMs);
    context.mock.timers.tick(edgeLimits.counterBudgetMs);
    context.mock.timers.reset();
    await take;
    reject(new Error('too late'));
    assert.deepEqual(await Promise.all(kept), [undefined]);
  });

  it('is not asked again while its refusal holds, and is when a token may be there', async () => {
    let asked = 0;
    const { limiter } = limiterOver(async () => {
      asked++;
      return { allowed: asked > 3, remaining: 0, resetMs: asked === 1 ? 400 : 30_000, atMs: nowMs };
    });
    const told = async (atMs: number) => {
      const { allowed, resetMs } = await limiter.take('a', 1, atMs);
      return [allowed, resetMs, asked];
    };
    assert.deepEqual(await told(nowMs), [false, 400, 1]);
    assert.deepEqual(await told(nowMs + 399), [false, 1, 1]);
    assert.deepEqual(await told(nowMs + 400), [false, 30_000, 2]);
    assert.deepEqual(await told(nowMs + 400 + edgeLimits.refusedMemoMs - 1), [false, 29_001, 2]);
    assert.deepEqual(await told(nowMs + 400 + edgeLimits.refusedMemoMs), [false, 30_000, 3]);
    await limiter.giveBack('a', counted);
    assert.deepEqual(await told(nowMs + 1_500), [true, 30_000, 4]);
    assert.equal((await limiter.take('b', 1, nowMs)).allowed, true);
  });

  it('gets back what it counted, the stand-in what that counted', async () => {
    let givenBack = 0;
    let isAway = true;
    const { limiter } = limiterOver(
      async () => (isAway ? Promise.reject(new Error('away')) : counted),
      async () => {
        givenBack++;
      },
    );
    const standIn = await limiter.take('a', 1, nowMs);
    isAway = false;
    await limiter.giveBack('a', await limiter.take('a', 1, nowMs + awayMs));
    assert.equal(givenBack, 1);
    isAway = true;
    assert.ok(!(await limiter.take('a', 1, nowMs + awayMs)).allowed);
    await limiter.giveBack('a', standIn);
    assert.ok((await limiter.take('a', 1, nowMs + awayMs)).allowed);
    assert.equal(givenBack, 1);
  });

  it('that cannot take a token back is reported, and breaks nothing', async () => {
    const { limiter, troubles } = limiterOver(
      async () => counted,
      async () => Promise.reject(new Error('away')),
    );
    await limiter.giveBack('a', counted);
    assert.deepEqual(troubles, ['counter_away']);
  });
});
