/** Every side in one interleaved run, over many wallets and on one. */
import { type Contestant, interleave, seriesOf } from '../interleave.ts';
import { single } from '../load/shape.ts';
import { oursNames, sideFigures } from '../report/figures.ts';
import type { Scenario } from './scenario.ts';

export const comparison: Scenario = async ({ cast, settings, rounds, sides, workloads }) => {
  const contestants: Contestant[] = [];
  for (const name of sides) {
    for (const workload of workloads) {
      const part = await cast.find(name, workload);
      if (part === null) continue;
      const { side, expectedPerSecond } = part;
      contestants.push({ side, label: workload, plan: { workload, shape: single, expectedPerSecond }, rounds: [] });
    }
  }
  await interleave(rounds, contestants, settings, ({ side, plan }, { batchRows }) => {
    if (side.name === oursNames[0] && batchRows !== null) cast.heardOfBatches(plan.workload, batchRows);
  });
  const series = seriesOf(contestants);
  return {
    series,
    figures: sideFigures(series),
    notes: [
      'The sides that people would build instead check no signature and publish nothing: both are in their favour.',
      'version check: requests that are refused after 64 attempts or 5 s are not counted as done.',
    ],
  };
};
