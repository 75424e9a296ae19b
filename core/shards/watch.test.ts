import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Watch } from './watch.ts';

const limits = { deadMs: 3_000, absentMs: 1_000, gapMs: 1_500 };

/** Looks every half second, from `fromMs` to `toMs`. */
function lookOn(watch: Watch, fromMs: number, toMs: number, sign: (ms: number) => string, joined = true): void {
  for (let ms = fromMs; ms <= toMs; ms += 500) watch.look([{ writerId: 2, sign: sign(ms), joined }], ms);
}

describe('the watch', () => {
  it('takes for dead who shows no sign for long enough, and not before', () => {
    const watch = new Watch(limits);
    lookOn(watch, 0, 2_500, () => 'same');
    assert.deepEqual([watch.isLive(2), watch.isDead(2)], [true, false]);
    lookOn(watch, 3_000, 3_000, () => 'same');
    assert.deepEqual([watch.isLive(2), watch.isDead(2)], [false, true]);
    lookOn(watch, 3_500, 3_500, () => 'other');
    assert.deepEqual([watch.isLive(2), watch.isDead(2)], [true, false]);
  });

  it('takes nobody for dead after it did not look itself', () => {
    const watch = new Watch(limits);
    lookOn(watch, 0, 2_500, () => 'same');
    lookOn(watch, 60_000, 62_500, () => 'same');
    assert.equal(watch.isDead(2), false);
    lookOn(watch, 63_000, 63_000, () => 'same');
    assert.equal(watch.isDead(2), true);
  });

  it('waits a little for a writer that nobody has joined as, and never calls it alive', () => {
    const watch = new Watch(limits);
    lookOn(watch, 0, 500, () => 'epoch 1', false);
    assert.deepEqual([watch.isLive(2), watch.isDead(2)], [false, false]);
    lookOn(watch, 1_000, 1_000, () => 'epoch 1', false);
    assert.equal(watch.isDead(2), true);
    lookOn(watch, 1_500, 1_500, () => 'epoch 2', false);
    assert.equal(watch.isDead(2), false);
  });

  it('knows nothing of who was never found', () => {
    const watch = new Watch(limits);
    assert.deepEqual([watch.isLive(7), watch.isDead(7)], [false, false]);
  });
});
