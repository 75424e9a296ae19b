import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, pairRatios, percentile, worstSecondRatio } from './statistics.ts';

describe('statistics of rounds', () => {
  it('the median of an even number of values lies between the two in the middle', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([9, 1, 5, 7]), 6);
    assert.ok(Number.isNaN(median([])));
  });

  it('ratios are of the same round, as many as both sides have', () => {
    assert.deepEqual(pairRatios([10, 30, 5], [5, 10]), [2, 3]);
  });

  it('a percentile is a value that was seen', () => {
    assert.equal(percentile([3, 1, 2], 0), 1);
    assert.equal(percentile([3, 1, 2], 0.5), 2);
    assert.equal(percentile([3, 1, 2], 1), 3);
    assert.equal(percentile([], 0.5), 0);
  });

  it('the last second may be cut short, and is not the worst one', () => {
    assert.equal(worstSecondRatio([100, 50, 150, 3]), 0.5);
  });
});
