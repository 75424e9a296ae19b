/** An open loop of 500 earns a second on one hot wallet: how long the slowest hundredth waits, with a row lock and with ours. */
import { formatNumber } from '../../table.ts';
import { orderOf } from '../interleave.ts';
import { type OpenLoopOutcome, runOpenLoop } from '../load/open-loop.ts';
import { median, pairRatios } from '../report/statistics.ts';
import { requireRows, untilQuiet } from '../round.ts';
import type { HttpSide } from '../side.ts';
import type { Scenario } from './scenario.ts';

const RATE_PER_S = 500;
const CONNECTIONS = 1_000;
/** A signature is good for half a minute. */
const SECONDS_MAX = 15;

export const openLoop: Scenario = async ({ cast, environment, settings, rounds, ours, seed }) => {
  const own = await cast.ours(ours);
  const { side: lock } = await cast.rival('row-lock', 'hot');
  const seconds = Math.min(SECONDS_MAX, settings.seconds * 2);
  const outcomes = new Map<HttpSide, OpenLoopOutcome[]>([
    [own, []],
    [lock, []],
  ]);
  for (let round = 0; round < rounds; round++) {
    for (const side of orderOf(round, [own, lock])) {
      await untilQuiet(settings, side);
      const plan = {
        workload: 'hot',
        ratePerSecond: RATE_PER_S,
        connections: CONNECTIONS,
        seed: seed + round,
      } as const;
      // The first requests open a pool, or load an account: they are not what is asked here.
      if (round === 0) await runOpenLoop(side, { ...plan, dir: environment.dir, seconds: 1 });
      const before = (await side.countRows?.()) ?? 0;
      const outcome = await runOpenLoop(side, { ...plan, dir: environment.dir, seconds });
      const rows = ((await side.countRows?.()) ?? 0) - before;
      requireRows(side, rows, outcome.statuses['201'] ?? 0, outcome.broken);
      outcomes.get(side)?.push(outcome);
      console.log(`round ${round + 1}  ${side.name}, open loop: p99 ${formatNumber(outcome.p99Ms, 1)} ms`);
    }
  }
  const p99 = (side: HttpSide): number[] => (outcomes.get(side) ?? []).map(({ p99Ms }) => p99Ms);
  return {
    figures: [
      {
        name: `P99 of row lock ÷ ${own.name}, open loop of ${RATE_PER_S}/s on a hot wallet`,
        goal: 40,
        values: pairRatios(p99(lock), p99(own)),
      },
    ],
    tables: [
      {
        title: `Open loop of ${RATE_PER_S}/s on one hot wallet`,
        columns: [
          'side',
          'p50 ms',
          'p99 ms',
          'lowest p99',
          'highest p99',
          'answered in time',
          'generator late, p99 ms',
        ],
        rows: [...outcomes].map(([side, all]) => [
          side.name,
          formatNumber(median(all.map(({ p50Ms }) => p50Ms)), 1),
          formatNumber(median(p99(side)), 1),
          formatNumber(Math.min(...p99(side)), 1),
          formatNumber(Math.max(...p99(side)), 1),
          `${formatNumber(100 * median(all.map(({ okInTime, offered }) => okInTime / offered)), 1)} %`,
          formatNumber(median(all.map(({ latenessP99Ms }) => latenessP99Ms)), 1),
        ]),
      },
    ],
    notes: [`Arrivals are independent of each other (Poisson), seed ${seed}.`],
  };
};
