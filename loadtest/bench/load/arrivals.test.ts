import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { arrivals } from './arrivals.ts';

describe('arrivals of an open loop', () => {
  const moments = arrivals(500, 200, 7);

  it('come in order, within the time', () => {
    assert.ok(moments.every((moment, at) => moment >= (moments[at - 1] ?? 0) && moment < 200_000));
  });

  it('come at the rate that was asked for, as irregularly as chance', () => {
    // 100,000 are expected; six standard deviations are 1,900.
    assert.ok(Math.abs(moments.length - 100_000) < 1_900, String(moments.length));
    const gaps = moments.map((moment, at) => moment - (moments[at - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    // Of exponential gaps the deviation is the mean.
    assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.05, String(Math.sqrt(variance) / mean));
  });

  it('are repeated by their seed', () => {
    assert.deepEqual(arrivals(50, 2, 3), arrivals(50, 2, 3));
    assert.notDeepEqual(arrivals(50, 2, 3), arrivals(50, 2, 4));
  });
});
