/** The cache's rules C1 – C4 on a link that the test plays: what is evicted never comes back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { quiet } from '../../test/log.ts';
import { createMetrics } from '../telemetry/index.ts';
import { type RedisLink, TwoLevelCache } from './index.ts';
import type { RedisListener } from './link.ts';

/** One Redis for several processes. */
class StagedRedis {
  readonly keys = new Map<string, string>();
  readonly listeners: RedisListener[] = [];
  isUp = true;
  isBroken = false;

  link(): RedisLink {
    const check = () => {
      if (this.isBroken) throw new Error('broken');
    };
    return {
      isUp: () => this.isUp,
      get: async (key) => {
        check();
        return this.keys.get(key) ?? null;
      },
      add: async (key, value) => {
        check();
        if (!this.keys.has(key)) this.keys.set(key, value);
      },
      evict: async (key) => {
        if (!this.isUp) return;
        this.keys.set(key, '');
        for (const listener of this.listeners) listener.evicted(key);
      },
      listen: (listener) => void this.listeners.push(listener),
      start: () => undefined,
      stop: () => undefined,
    };
  }

  become(isUp: boolean): void {
    this.isUp = isUp;
    for (const listener of this.listeners) listener.changedState(isUp);
  }
}

interface Value {
  readonly text: string;
}

class Process {
  loads = 0;
  load: () => Promise<Value | null>;
  readonly cache: TwoLevelCache<Value>;

  constructor(redis: StagedRedis, load: () => Promise<Value | null>, times: { aloneMs?: number } = {}) {
    this.load = load;
    this.cache = new TwoLevelCache<Value>(
      {
        name: 'test:thing',
        version: 'v1',
        heldMax: 10,
        l1Ms: 60_000,
        aloneMs: times.aloneMs ?? 60_000,
        absentMs: 60_000,
        l2Ms: 60_000,
        tombstoneMs: 60_000,
        load: () => {
          this.loads++;
          return this.load();
        },
        parse: (json) => json as Value,
      },
      redis.link(),
      quiet,
      createMetrics(),
    );
  }
}

describe('the cache', () => {
  let truth: Value | null = { text: 'old' };
  const read = () => Promise.resolve(truth);

  it('loads once for a thousand who ask (C1), and once for all processes', async () => {
    truth = { text: 'old' };
    const redis = new StagedRedis();
    const [one, two] = [new Process(redis, read), new Process(redis, read)];
    const values = await Promise.all(Array.from({ length: 1_000 }, () => one.cache.get('a')));
    assert.ok(values.every((value) => value === truth));
    assert.deepEqual(await two.cache.get('a'), truth);
    assert.deepEqual([one.loads, two.loads], [1, 0]);
  });

  it('reaches every process with an eviction (C2)', async () => {
    const redis = new StagedRedis();
    truth = { text: 'old' };
    const [one, two] = [new Process(redis, read), new Process(redis, read)];
    for (const each of [one, two]) await each.cache.get('a');
    truth = { text: 'new' };
    await one.cache.evict('a');
    for (const each of [one, two]) assert.deepEqual(await each.cache.get('a'), { text: 'new' });
  });

  it('keeps nothing of a load that began before an eviction (C3), in this process or another', async () => {
    const redis = new StagedRedis();
    const gate = Promise.withResolvers<Value>();
    const [one, two] = [new Process(redis, () => gate.promise), new Process(redis, read)];
    const early = one.cache.get('a');
    await new Promise((resolve) => setImmediate(resolve));
    truth = { text: 'new' };
    await two.cache.evict('a');
    one.load = read;
    assert.deepEqual(await one.cache.get('a'), { text: 'new' }, 'who asks later does not join the early load');
    gate.resolve({ text: 'old' });
    assert.deepEqual(await early, { text: 'old' });
    for (const each of [one, two]) assert.deepEqual(await each.cache.get('a'), { text: 'new' });
    assert.equal(redis.keys.get('test:thing:a:v1'), '', 'the tombstone stands');
  });

  it('forgets everything when the link comes or goes, and believes for a short time alone', async () => {
    const redis = new StagedRedis();
    truth = { text: 'old' };
    const alone = new Process(redis, read, { aloneMs: 1 });
    await alone.cache.get('a');
    redis.become(false);
    truth = { text: 'new' };
    assert.deepEqual(await alone.cache.get('a'), { text: 'new' });
    truth = { text: 'newer' };
    const start = performance.now();
    while ((await alone.cache.get('a'))?.text !== 'newer') {
      assert.ok(performance.now() - start < 5_000);
      await pause(2);
    }
    redis.keys.set('test:thing:a:v1', '{"text":"from elsewhere"}');
    redis.become(true);
    assert.deepEqual(await alone.cache.get('a'), { text: 'from elsewhere' });
  });

  it('costs a load when Redis is broken, never an error (C4)', async () => {
    const redis = new StagedRedis();
    redis.isBroken = true;
    truth = { text: 'x' };
    const one = new Process(redis, read);
    assert.deepEqual(await one.cache.get('a'), truth);
    redis.isBroken = false;
    redis.keys.set('test:thing:b:v1', 'not JSON');
    assert.deepEqual(await one.cache.get('b'), truth);
  });

  it('remembers what does not exist in this process only, and passes on what the loader throws', async () => {
    const redis = new StagedRedis();
    truth = null;
    const one = new Process(redis, read);
    assert.equal(await one.cache.get('a'), null);
    assert.equal(await one.cache.get('a'), null);
    assert.deepEqual([one.loads, redis.keys.size], [1, 0]);
    one.load = () => Promise.reject(new Error('the database is away'));
    await assert.rejects(one.cache.get('b'), /away/);
    one.load = read;
    assert.equal(await one.cache.get('b'), null);
  });
});
