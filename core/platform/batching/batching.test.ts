/** Many callers share a run; a fault of one is not the others'; the queue has an end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Batcher } from './index.ts';

class Away extends Error {}

function batcher(run: (items: readonly number[]) => Promise<readonly number[]>, waitingMax = 100) {
  const refusal = () => new Error('full');
  return new Batcher<number, number>({ batchMax: 3, waitingMax, run, concernsAll: (e) => e instanceof Away, refusal });
}

describe('a batcher', () => {
  it('runs the first at once, and those of its meantime together, in order, at most so many', async () => {
    const runs: (readonly number[])[] = [];
    const doubling = batcher(async (items) => {
      runs.push(items);
      await new Promise((resolve) => setImmediate(resolve));
      return items.map((item) => item * 2);
    });
    const results = await Promise.all([1, 2, 3, 4, 5].map((item) => doubling.submit(item)));
    assert.deepEqual(results, [2, 4, 6, 8, 10]);
    assert.deepEqual(runs, [[1], [2, 3, 4], [5]]);
    assert.equal(await doubling.submit(6), 12);
  });

  it('fails only the one at fault', async () => {
    const picky = batcher(async (items) => {
      if (items.includes(13)) throw new Error('13');
      return items;
    });
    const outcomes = await Promise.allSettled([1, 2, 13, 4].map((item) => picky.submit(item)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
  });

  it('fails all at once when it is nobody’s fault', async () => {
    let runs = 0;
    const away = batcher(async () => {
      runs++;
      throw new Away('away');
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map((item) => away.submit(item)));
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    assert.equal(runs, 2);
  });

  it('refuses one too many', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = batcher(async (items) => promise.then(() => items), 2);
    const accepted = [slow.submit(1), slow.submit(2), slow.submit(3)];
    await assert.rejects(slow.submit(4), /full/);
    resolve();
    assert.deepEqual(await Promise.all(accepted), [1, 2, 3]);
  });
});
