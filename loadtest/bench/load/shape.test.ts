import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { earnsPerRequest, originalOf, replays, rowsOf, single } from './shape.ts';

describe('the shape of requests', () => {
  it('a single is itself, and makes one row', () => {
    assert.equal(originalOf(single, 77_777), 77_777);
    assert.equal(rowsOf(single, 10), 10);
  });

  it('a fifth of the requests repeat an earlier one, which is no repetition and long answered', () => {
    let repeated = 0;
    for (let n = 20_000; n < 30_000; n++) {
      const original = originalOf(replays, n);
      if (original === n) continue;
      repeated++;
      assert.equal(originalOf(replays, original), original, `${original}, repeated by ${n}`);
      assert.ok(n - original >= 5_000);
    }
    assert.equal(repeated, 2_000);
  });

  it('the first requests have nothing to repeat', () => {
    assert.equal(originalOf(replays, 4), 4);
    assert.equal(rowsOf(replays, 5_000), 5_000);
    assert.equal(rowsOf(replays, 30_000), 30_000 - (30_000 - 5_000) / 5);
  });

  it('a bulk request makes a row per line', () => {
    assert.equal(rowsOf({ type: 'bulk', lines: 100 }, 3), 300);
    assert.equal(earnsPerRequest({ type: 'bulk', lines: 100 }), 100);
  });
});
