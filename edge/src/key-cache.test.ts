import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { grant } from '../test/stage.ts';
import { flightMs, KeyCache as GrantCache, type Verdict as VerdictOf } from './key-cache.ts';
import { edgeLimits } from './limits.ts';

type Verdict = VerdictOf<typeof grant>;
const KeyCache = GrantCache<typeof grant>;
type KeyCache = GrantCache<typeof grant>;
const granted: Verdict = { kind: 'granted', grant };
const refused: Verdict = { kind: 'refused' };
const { keyFreshMs, keyServedMs, keyRefusedMs, lookUpsMax } = edgeLimits;
const land = async (cache: KeyCache, verdict: Verdict, nowMs = 0, digest = 'd') =>
  cache.start(digest, nowMs, async () => verdict);

describe('what is known of a key', () => {
  it('is a grant, fresh, then served, then unknown (K1)', async () => {
    const cache = new KeyCache();
    assert.equal(cache.known('d', 0), null);
    await land(cache, granted);
    assert.deepEqual(cache.known('d', keyFreshMs - 1), { grant, isFresh: true });
    assert.deepEqual(cache.known('d', keyFreshMs), { grant, isFresh: false });
    assert.deepEqual(cache.known('d', keyServedMs - 1), { grant, isFresh: false });
    assert.equal(cache.known('d', keyServedMs), null);
  });

  it('is a refusal, for a while', async () => {
    const cache = new KeyCache();
    await land(cache, refused);
    assert.equal(cache.known('d', keyRefusedMs - 1), 'refused');
    assert.equal(cache.known('d', keyRefusedMs), null);
  });

  it('is the last word of core: revoked after granted, granted after refused', async () => {
    const cache = new KeyCache();
    await land(cache, granted, 0);
    await land(cache, refused, 10);
    assert.equal(cache.known('d', 11), 'refused');
    await land(cache, granted, 20);
    assert.deepEqual(cache.known('d', 21), { grant, isFresh: true });
  });

  it('stays when core cannot be asked', async () => {
    const cache = new KeyCache();
    await land(cache, granted, 0);
    await land(cache, { kind: 'away' }, keyFreshMs);
    assert.deepEqual(cache.known('d', keyFreshMs + 1), { grant, isFresh: false });
    assert.equal(cache.known('d', keyServedMs), null);
  });
});

describe('look-ups under way', () => {
  it('are found until they land, or are given up (K2)', async () => {
    const cache = new KeyCache();
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const started = cache.start('d', 0, () => promise);
    const joined = cache.join('d', flightMs - 1);
    resolve(granted);
    assert.deepEqual([await started, await joined], [granted, granted]);
    assert.equal(cache.join('d', 1), null);
    cache.start('d', 100_000, () => new Promise(() => undefined));
    assert.ok(cache.isUnderWay('d', 100_000 + flightMs - 1));
    assert.equal(cache.join('d', 100_000 + flightMs), null);
  });

  it('are given up after what the cache is told is their longest', () => {
    const cache = new KeyCache(100);
    cache.start('d', 0, () => new Promise(() => undefined));
    assert.deepEqual([cache.isUnderWay('d', 99), cache.isUnderWay('d', 100)], [true, false]);
  });

  it('that fail leave nothing behind', async () => {
    const cache = new KeyCache();
    const { promise, reject } = Promise.withResolvers<Verdict>();
    const started = cache.start('d', 0, () => promise);
    const joined = cache.join('d', 0);
    reject(new Error('a bug'));
    await assert.rejects(async () => started);
    assert.deepEqual(await joined, { kind: 'away' });
    assert.equal(cache.join('d', 0), null);
    assert.equal(cache.known('d', 0), null);
  });

  it('are bounded, and lost ones make room (K3)', () => {
    const cache = new KeyCache();
    const never = () => new Promise<Verdict>(() => undefined);
    for (let count = 0; count < lookUpsMax; count++) assert.ok(cache.start(`d${count}`, 0, never));
    assert.equal(cache.start('one more', 0, never), null);
    assert.ok(cache.start('one more', flightMs, never));
  });
});
