import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { orderOf } from './interleave.ts';
import { replays, type Shape, single } from './load/shape.ts';
import { soundnessFaults } from './round.ts';
import { readOutput } from './sides/pgbench.ts';

function outcomeOf(answers: number, handed: number, notOk = 0) {
  return { answers, notOk, broken: 0, handed, elapsedMs: 1, p50Ms: 0, p99Ms: 0, maxMs: 0, cpuS: 0 };
}

describe('a round counts only when the ledger bears it out', () => {
  const rows: readonly [string, Shape, ReturnType<typeof outcomeOf>, number | null, boolean, RegExp | null][] = [
    ['what was answered is there', single, outcomeOf(10, 10), 10, false, null],
    ['what was under way may be there', single, outcomeOf(10, 12), 11, false, null],
    ['an answer without its row', single, outcomeOf(10, 12), 9, false, /only 9 rows/],
    ['a row that nobody asked for', single, outcomeOf(10, 12), 13, false, /12 requests, but 13 rows/],
    ['a refusal where there must be none', single, outcomeOf(10, 10, 1), 9, false, /no success/],
    ['a refusal by design is not done', single, outcomeOf(10, 10, 1), 9, true, null],
    ['nothing at all', single, outcomeOf(0, 5), 0, false, /nothing was answered/],
    ['a side without rows', single, outcomeOf(10, 10), null, false, null],
    ['bulk: every line is a row', { type: 'bulk', lines: 50 }, outcomeOf(2, 2), 99, false, /only 99 rows/],
    ['a replay is no row', replays, outcomeOf(10_000, 10_000), 9_000, false, null],
    ['a replay that was posted twice', replays, outcomeOf(10_000, 10_000), 9_001, false, /9001 rows/],
  ];
  for (const [name, shape, outcome, count, mayRefuse, fault] of rows) {
    it(name, () => {
      const faults = soundnessFaults(shape, outcome, count, mayRefuse);
      if (fault === null) assert.deepEqual(faults, []);
      else assert.match(faults.join('; '), fault);
    });
  }
});

describe('interleaving', () => {
  it('turns the order by one each round, so that everybody follows everybody', () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((round) => orderOf(round, ['A', 'B', 'C']).join('')),
      ['ABC', 'BCA', 'CAB', 'ABC'],
    );
  });
});

describe("pgbench's report", () => {
  const text = (failed: number): string => `number of transactions actually processed: 61
number of failed transactions: ${failed} (0.000%)
latency average = 16.4 ms
initial connection time = 3.1 ms
tps = 60.870000 (without initial connection time)`;

  it('is read', () => {
    assert.deepEqual(readOutput(text(0)), { batches: 61, perSecond: 60.87, latencyMs: 16.4 });
  });

  it('is no result when batches failed', () => {
    assert.throws(() => readOutput(text(2)), /2 batches/);
  });
});
