/** What is remembered of API keys: their digests, found without the key, for as long as they are in use and no longer. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { KeyDigests } from './key-digests.ts';
import { edgeLimits } from './limits.ts';

const keyOf = (n: number): string => `lp_live_${String(n).padStart(43, 'x')}`;
const nowMs = 1_700_000_000_000;

describe('digests of keys in use', () => {
  it('are SHA-256, computed once and then there at once', async () => {
    const digests = new KeyDigests();
    for (const key of [keyOf(1), keyOf(2), `lp_admin_${'_-'.repeat(8)}`]) {
      const computed = digests.of(key, nowMs);
      assert.ok(computed instanceof Promise);
      assert.equal(await computed, hash('sha256', key));
      assert.equal(digests.of(key, nowMs + 1), hash('sha256', key));
    }
  });

  it('are found by a tag whose key each draws for itself, once', async () => {
    const drawn: Int32Array[] = [];
    const draw = crypto.getRandomValues;
    crypto.getRandomValues = ((array: Int32Array<ArrayBuffer>) => {
      drawn.push(draw.call(crypto, array) as Int32Array);
      return array;
    }) as typeof draw;
    try {
      const [one, other] = [new KeyDigests(), new KeyDigests()];
      await one.of(keyOf(1), nowMs);
      await one.of(keyOf(2), nowMs);
      assert.ok(other.of(keyOf(1), nowMs) instanceof Promise);
    } finally {
      crypto.getRandomValues = draw;
    }
    assert.equal(drawn.length, 2);
    assert.notDeepEqual(drawn[0], drawn[1]);
  });

  it(`are forgotten after ${edgeLimits.keyDigestMs} ms`, async () => {
    const digests = new KeyDigests();
    await digests.of(keyOf(1), nowMs);
    assert.equal(typeof digests.of(keyOf(1), nowMs + edgeLimits.keyDigestMs - 1), 'string');
    assert.ok(digests.of(keyOf(1), nowMs + edgeLimits.keyDigestMs) instanceof Promise);
  });

  it(`are at most ${edgeLimits.keyDigestsMax}: the one that was used last stays`, async () => {
    const digests = new KeyDigests();
    await digests.of(keyOf(0), nowMs);
    await digests.of(keyOf(1), nowMs);
    for (let n = 2; n <= edgeLimits.keyDigestsMax; n++) {
      await digests.of(keyOf(n), nowMs);
      if (n % 1_000 === 0) assert.equal(typeof digests.of(keyOf(0), nowMs), 'string');
    }
    assert.ok(digests.of(keyOf(1), nowMs) instanceof Promise);
    assert.equal(typeof digests.of(keyOf(0), nowMs), 'string');
  });
});
