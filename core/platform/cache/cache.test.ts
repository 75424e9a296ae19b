/** What is loaded once, what is held, and what is forgotten. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoadingCache } from './index.ts';

/** Loads wait until the test answers them, the oldest first. */
function stage(heldMax = 10) {
  const asked: string[] = [];
  const loads: PromiseWithResolvers<object | null>[] = [];
  const cache = new LoadingCache<string, object>({
    heldMax,
    load: (key) => {
      asked.push(key);
      const load = Promise.withResolvers<object | null>();
      loads.push(load);
      return load.promise;
    },
  });
  const answer = (value: object | null): void => loads.shift()?.resolve(value);
  const fail = (cause: Error): void => loads.shift()?.reject(cause);
  return { cache, asked, answer, fail };
}

describe('a loading cache', () => {
  it('loads once for all who ask in the meantime, and has it at once from then on', async () => {
    const { cache, asked, answer } = stage();
    const waiting = Array.from({ length: 5 }, () => cache.get('a'));
    assert.ok(waiting.every((found) => found instanceof Promise));
    const value = {};
    answer(value);
    assert.deepEqual(await Promise.all(waiting), Array(5).fill(value));
    assert.equal(cache.get('a'), value);
    assert.deepEqual(asked, ['a']);
    assert.deepEqual(cache.counts, { held: 1, hits: 1, misses: 5 });
  });

  it('loads each key by itself', async () => {
    const { cache, asked, answer } = stage();
    const [a, b] = [cache.get('a'), cache.get('b')];
    answer({ of: 'a' });
    answer({ of: 'b' });
    assert.deepEqual([await a, await b], [{ of: 'a' }, { of: 'b' }]);
    assert.deepEqual(asked, ['a', 'b']);
  });

  it('has at once what it was told', () => {
    const { cache, asked } = stage();
    const value = {};
    cache.set('a', value);
    assert.equal(cache.get('a'), value);
    assert.deepEqual(asked, []);
  });

  it('F1: holds so many; the least recently used goes first', () => {
    const { cache, asked } = stage(2);
    cache.set('a', {});
    cache.set('b', {});
    cache.get('a');
    cache.set('c', {});
    assert.equal(cache.counts.held, 2);
    for (const key of ['a', 'c', 'b']) void cache.get(key);
    assert.deepEqual(asked, ['b']);
  });

  it('F2: asks again for what does not exist', async () => {
    const { cache, asked, answer } = stage();
    const first = cache.get('a');
    answer(null);
    assert.equal(await first, null);
    const second = cache.get('a');
    answer({});
    assert.deepEqual(await second, {});
    assert.deepEqual(asked, ['a', 'a']);
  });

  it('F3: tells a failure to all who share the load, and loads again for the next', async () => {
    const { cache, asked, answer, fail } = stage();
    const waiting = [cache.get('a'), cache.get('a')];
    fail(new Error('away'));
    for (const found of waiting) await assert.rejects(async () => found, /away/);
    const again = cache.get('a');
    answer({});
    assert.deepEqual(await again, {});
    assert.deepEqual(asked, ['a', 'a']);
  });
});
