import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from './limits.ts';
import { nextRate } from './step-search.ts';

/** What the search ends with, and the rates it tried, where everything up to `capacity` holds. */
function search(capacity: number): { held: number; tried: number[] } {
  const tried: number[] = [];
  let held = 0;
  let broke = Number.POSITIVE_INFINITY;
  for (let rate: number | null = limits.stressStartRate; rate !== null && tried.length < limits.stressStepsMax; ) {
    tried.push(rate);
    if (rate <= capacity) held = rate;
    else broke = rate;
    rate = nextRate(rate, held, broke);
  }
  return { held, tried };
}

describe('the search for the highest rate', () => {
  for (const capacity of [400, 1_400, 1_500, 1_700, 2_600, 4_000]) {
    it(`comes near ${capacity} and does not say more`, () => {
      const { held, tried } = search(capacity);
      assert.ok(tried.length > 1, 'one step is no search');
      assert.ok(held <= capacity && held >= capacity * (1 - 2 * limits.stressPrecision), `${held} of ${tried}`);
    });
  }
});
