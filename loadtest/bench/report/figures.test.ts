import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoundResult } from '../round.ts';
import { figuresTable, isReached, sideFigures } from './figures.ts';
import type { Series } from './report.ts';

export function roundOf(perSecond: number): RoundResult {
  return {
    perSecond,
    p50Ms: 1,
    p99Ms: 2,
    answers: perSecond,
    refused: 0,
    rows: perSecond,
    batchRows: null,
    cpuS: { server: 1, postgres: 1, broker: 0, generator: 1 },
    aftermathMs: 0,
  };
}

function seriesOf(side: string, workload: string, ...rates: number[]): Series {
  return { side, workload, rounds: rates.map(roundOf) };
}

describe('the figures beside their goals', () => {
  const series = [
    seriesOf('ours', 'uniform', 20_000, 22_000, 10_000),
    seriesOf('ours', 'hot', 30_000, 22_000, 20_000),
    seriesOf('row lock', 'uniform', 1_000, 1_000, 1_000),
    seriesOf('echo', 'uniform', 40_000, 40_000, 40_000),
  ];

  it('are ratios of pairs of one round, for every pair that ran', () => {
    assert.deepEqual(sideFigures(series), [
      { name: 'ours ÷ row lock, uniform', goal: 20, values: [20, 22, 10] },
      { name: 'ours ÷ its own uniform, one hot wallet', goal: 1.2, values: [1.5, 1, 2] },
      { name: 'ours ÷ echo, uniform', goal: 0.6, values: [0.5, 0.55, 0.25] },
    ]);
  });

  it('are computed for our side with the relay, too', () => {
    const relay = seriesOf('ours, with relay to Kafka', 'uniform', 7_000);
    const names = sideFigures([relay, seriesOf('row lock', 'uniform', 1_000)]).map(({ name }) => name);
    assert.deepEqual(names, ['ours, with relay to Kafka ÷ row lock, uniform']);
  });

  it('are reached by their median', () => {
    assert.equal(isReached({ name: '', goal: 20, values: [20, 22, 10] }), true);
    assert.equal(isReached({ name: '', goal: 20, values: [19, 22, 10] }), false);
    assert.equal(isReached({ name: '', goal: null, values: [1] }), null);
  });

  it('say that they were missed', () => {
    const { rows } = figuresTable(sideFigures(series));
    assert.deepEqual(rows[2], ['ours ÷ echo, uniform', '≥ 0.6', '0.50', '0.25', '0.55', 'missed']);
  });
});
