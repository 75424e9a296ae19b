/** What is packed comes back as it was (H2), from any history. SEED=<the seed in the test's name> repeats a run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import fc from 'fast-check';
import type { AccountState, Lot } from '../account/model.ts';
import { earliestDueMs, noHolds, openedAccount } from '../account/state.ts';
import {
  burn,
  earn,
  freeze,
  History,
  hold,
  load,
  recover,
  reverse,
  type Step,
  unfreeze,
} from '../account/test/history.ts';
import { newAccountId } from '../conformance/rows.ts';
import { Shelf } from './shelf.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const link = 'c0ffee'.padStart(64, '0');

/** Put there and taken; null: it does not fit. */
function back(state: AccountState, hash: string | null = link): AccountState | null {
  const shelf = new Shelf(8);
  const id = newAccountId();
  shelf.put(id, state, hash);
  const shelved = shelf.take(id);
  assert.equal(shelf.size, 0);
  assert.equal(shelf.take(id), null);
  if (shelved !== null) assert.equal(shelved.hash, hash);
  return shelved?.state ?? null;
}

function after(...steps: Step[]): AccountState {
  return new History(steps).state;
}

const anyNumber = fc.oneof(fc.nat(9), fc.nat(limits.balanceMax), fc.constant(limits.balanceMax));
const anyLot = fc.tuple(
  fc.nat(65_535),
  fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 48 - 1 })),
);
const anyLots = fc.uniqueArray(anyLot, { maxLength: 5, selector: ([day]) => day });
const anyHash = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 })
  .map((all) => all.join(''));

describe('a shelf', () => {
  it(`gives back what fits as it was (SEED=${seed})`, () => {
    const state = fc.record({
      version: anyNumber,
      balance: fc.oneof(
        anyNumber,
        anyNumber.map((amount) => 0 - amount),
      ),
      lastAtMs: anyNumber,
      baseVersion: fc.option(anyNumber),
      lots: anyLots.map((lots): readonly Lot[] => lots.toSorted((one, other) => one[0] - other[0])),
    });
    fc.assert(
      fc.property(state, fc.option(anyHash), (some, hash) => {
        const whole = { ...openedAccount, ...some, dueAtMs: earliestDueMs(some.lots, noHolds) };
        assert.deepEqual(back(whole, hash), whole);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('shares the empty lists', () => {
    const state = back(after(load(9), burn(1)));
    for (const list of ['lots', 'holds', 'reversals', 'counters'] as const) {
      assert.equal(state?.[list], openedAccount[list]);
    }
  });

  it('keeps what it can, and nothing else', () => {
    const kept = [
      after(load(9)),
      after(earn(9, 5), earn(1, 6)),
      after(earn(9, 5), burn(9)),
      after(load(9), freeze, unfreeze),
    ];
    for (const state of kept) assert.deepEqual(back(state), state);
    const lots = [1, 2, 3, 4, 5, 6].map((days) => earn(1, days));
    const others = [
      after(load(9), hold(1)),
      after(load(9), freeze),
      after(load(9), reverse(1, 1)),
      after(load(9), burn(9), reverse(1, 9, recover)),
      after(...lots),
      { ...after(earn(9, 5)), dueAtMs: null },
      { ...after(earn(9, 5)), lots: [[65_536, 9] as const], dueAtMs: earliestDueMs([[65_536, 9]], noHolds) },
    ];
    for (const state of others) assert.equal(back(state), null);
    assert.equal(back(after(load(9)), 'no link'), null);
  });

  it('empty, knows nobody', () => {
    const shelf = new Shelf(8);
    const id = newAccountId();
    shelf.put(id, after(load(9)), link);
    shelf.clear();
    assert.deepEqual([shelf.size, shelf.take(id)], [0, null]);
  });
});
