/** What is loaded once, what is held, and what is forgotten. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Directory, LoadingCache } from './index.ts';

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

describe('a directory that remembers rows', () => {
  interface Row {
    readonly id: string;
    readonly parent: string;
  }

  function world() {
    const read: string[] = [];
    const remembered = new Map<string, Row>();
    const parents = new Map<string, string>([['p', 'P']]);
    const asked: string[] = [];
    const directory = new Directory<string, Row, string, { readonly text: string }>({
      heldMax: 1,
      rowOf: async (id) => {
        read.push(id);
        return id === 'none' ? null : { id, parent: 'p' };
      },
      parentOf: async (row) => {
        asked.push(row.id);
        const parent = parents.get(row.parent) ?? 'Q';
        if (parent === 'away') throw new Error('away');
        return parent;
      },
      join: (row, parent) => ({ text: `${row.id} in ${parent}` }),
      rows: {
        recall: (id) => remembered.get(id) ?? null,
        note: (row) => void (row.id.startsWith('secret') || remembered.set(row.id, row)),
        parentOf: (row) => parents.get(row.parent),
      },
    });
    return { directory, read, asked, remembered, parents };
  }

  it('reads a row once, and holds nothing of what it remembers', async () => {
    const { directory, read, asked } = world();
    for (const id of ['a', 'b']) assert.deepEqual(await directory.find(id), { text: `${id} in P` });
    assert.deepEqual(directory.find('a'), { text: 'a in P' });
    assert.deepEqual(directory.known('b'), { text: 'b in P' });
    assert.deepEqual(
      [read, asked],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    );
    assert.deepEqual(directory.counts, { held: 0, hits: 2, misses: 2 });
  });

  it('holds what cannot be remembered', async () => {
    const { directory, read } = world();
    const facts = await directory.find('secret');
    assert.equal(directory.find('secret'), facts);
    const learned = directory.learn('secret 2', { id: 'secret 2', parent: 'p' }, 'P');
    assert.equal(directory.known('secret 2'), learned);
    assert.equal(directory.counts.held, 1);
    await directory.find('secret');
    assert.deepEqual(read, ['secret', 'secret']);
  });

  it('takes note of what it is told, and of nothing that does not exist', async () => {
    const { directory, read, remembered } = world();
    directory.learn('a', { id: 'a', parent: 'p' }, 'P');
    directory.learn('b', { id: 'b', parent: 'p' }, 'P');
    assert.deepEqual(directory.known('a'), { text: 'a in P' });
    assert.equal(await directory.find('none'), null);
    assert.deepEqual([...remembered.keys()], ['a', 'b']);
    assert.deepEqual(read, ['none']);
  });

  it('waits for the parent of a row that it remembers, and does not read the row again', async () => {
    const { directory, read, parents } = world();
    for (const id of ['a', 'b']) await directory.find(id);
    parents.delete('p');
    assert.equal(directory.known('a'), undefined);
    assert.deepEqual(await directory.find('a'), { text: 'a in Q' });
    assert.deepEqual(read, ['a', 'b']);
    // It was held meanwhile; what is remembered is newer.
    parents.set('p', 'R');
    assert.deepEqual(directory.known('a'), { text: 'a in R' });
  });

  it('tells whoever waits for it that the parent cannot be had', async () => {
    const { directory, parents } = world();
    parents.set('p', 'away');
    await assert.rejects(async () => directory.find('a'), /away/);
  });
});
