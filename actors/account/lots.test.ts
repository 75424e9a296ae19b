import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantViolation } from './invariant.ts';
import { between, changedLots, expiryDay, firstOfDay, lotDueAtMs, noLots } from './lots.ts';
import type { ExpiryRule, Lot } from './model.ts';

/** When points are earned, the rule, and the last day on which they can be spent. */
const expiries: readonly (readonly [string, string, string])[] = [
  ['2025-01-31T12:00:00Z', '1 months', '2025-02-28'],
  ['2024-01-31T12:00:00Z', '1 months', '2024-02-29'],
  ['2024-02-29T12:00:00Z', '12 months', '2025-02-28'],
  ['2025-01-30T12:00:00Z', '1 months', '2025-02-28'],
  ['2025-01-15T12:00:00Z', '1 months', '2025-02-15'],
  ['2025-12-31T23:59:59.999Z', '2 months', '2026-02-28'],
  ['2025-11-30T00:00:00Z', '120 months', '2035-11-30'],
  ['2025-01-31T12:00:00Z', '1 months to its end', '2025-02-28'],
  ['2025-01-15T12:00:00Z', '1 months to its end', '2025-02-28'],
  ['2025-12-15T12:00:00Z', '1 months to its end', '2026-01-31'],
  ['2025-01-31T00:00:00Z', '1 days', '2025-02-01'],
  ['2025-01-30T23:59:59.999Z', '1 days', '2025-01-31'],
  ['2024-02-28T12:00:00Z', '1 days', '2024-02-29'],
  ['2025-01-01T12:00:00Z', '3650 days', '2034-12-30'],
  ['2025-01-31T12:00:00Z', '1 days to its end', '2025-02-28'],
  ['2025-01-30T12:00:00Z', '1 days to its end', '2025-01-31'],
];

function ruleOf(text: string): ExpiryRule {
  const [count, period, ...end] = text.split(' ');
  return { count: Number(count), period: period as ExpiryRule['period'], endOfMonth: end.length > 0 };
}

describe('lots', () => {
  for (const [from, rule, last] of expiries) {
    it(`earned ${from}, ${rule}: until ${last} is over`, () => {
      const day = expiryDay(ruleOf(rule), Date.parse(from));
      assert.equal(new Date(day * 86_400_000).toISOString(), `${last}T00:00:00.000Z`);
      assert.equal(lotDueAtMs(day), Date.parse(`${last}T00:00:00Z`) + 86_400_000);
    });
  }

  const lots: readonly Lot[] = [
    [3, 5],
    [5, 2],
    [9, 4],
  ];

  it('are cut by place, in the order in which they expire', () => {
    assert.deepEqual(between(lots, 4, 8), [
      [3, 1],
      [5, 2],
      [9, 1],
    ]);
    assert.deepEqual(between(lots, 5, 7), [[5, 2]]);
    assert.deepEqual(between(lots, 10, 99), [[9, 1]]);
    assert.equal(between(lots, 11, 99), noLots);
    assert.equal(between(lots, 4, 4), noLots);
  });

  it('of one day come first when asked', () => {
    assert.deepEqual(firstOfDay(lots, 3, 9), [[9, 3]]);
    assert.deepEqual(firstOfDay(lots, 6, 9), [
      [3, 2],
      [9, 4],
    ]);
    assert.deepEqual(firstOfDay(lots, 6, 8), [
      [3, 5],
      [5, 1],
    ]);
    assert.deepEqual(firstOfDay(lots, 99, null), lots);
  });

  it('change by day, and are gone when nothing is left', () => {
    assert.deepEqual(
      changedLots(lots, [
        [1, 1],
        [5, -2],
        [9, 1],
        [10, 6],
      ]),
      [
        [1, 1],
        [3, 5],
        [9, 5],
        [10, 6],
      ],
    );
    assert.equal(changedLots([[3, 5]], [[3, -5]]), noLots);
    assert.equal(changedLots(lots, []), lots);
    for (const wrong of [
      [[3, -6]],
      [[4, -1]],
      [
        [5, 1],
        [3, 1],
      ],
      [
        [5, 1],
        [5, 1],
      ],
    ] as const) {
      assert.throws(() => changedLots(lots, wrong), InvariantViolation);
    }
  });
});
