/**
 * How long a few earns on many wallets wait: alone, beside a closed loop on one hot wallet, and beside the same loop spread over all
 * wallets. What the hot wallet costs the others beyond what any load of its size costs them is the unfairness that is left.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatNumber } from '../../table.ts';
import { orderOf } from '../interleave.ts';
import { type LiveOutcome, runLive } from '../load/live.ts';
import { type OpenLoopOutcome, runOpenLoop } from '../load/open-loop.ts';
import { mean, median, pairRatios } from '../report/statistics.ts';
import { requireRows, untilQuiet } from '../round.ts';
import type { HttpSide, Workload } from '../side.ts';
import type { Scenario, Stage } from './scenario.ts';

const RATE_PER_S = 300;
const CONNECTIONS = 300;
const SECONDS = 10;
/** The loop runs before the others begin and after they have ended: its client starts a thread that signs. */
const AROUND_SECONDS = 3;

/** Whom the others are beside; null: nobody. */
const besides: readonly (Workload | null)[] = [null, 'uniform', 'hot'];
const names = {
  none: 'alone',
  uniform: 'beside a loop on all wallets',
  hot: 'beside a loop on one hot wallet',
} as const;

interface Round {
  readonly others: OpenLoopOutcome;
  /** Successes of the loop a second; not a number where there is none. */
  readonly loopPerSecond: number;
}

export const neighbours: Scenario = async (stage) => {
  const { cast, settings, rounds, ours, seed } = stage;
  const side = await cast.ours(ours);
  const measured = new Map<Workload | null, Round[]>(besides.map((beside) => [beside, []]));
  // The first requests load accounts: they are not what is asked here.
  await runOpenLoop(side, { ...othersPlan(stage, seed), seconds: 2 });
  for (let round = 0; round < rounds; round++) {
    for (const beside of orderOf(round, besides)) {
      await untilQuiet(settings, side);
      const before = (await side.countRows?.()) ?? 0;
      const { others, loop } = await runBoth(stage, side, beside, seed + round);
      requireSound(side, others, loop, ((await side.countRows?.()) ?? 0) - before);
      const shared = loop?.perSecond.slice(AROUND_SECONDS, AROUND_SECONDS + SECONDS) ?? [];
      measured.get(beside)?.push({ others, loopPerSecond: mean(shared) });
      console.log(`round ${round + 1}  ${names[beside ?? 'none']}: p99 ${formatNumber(others.p99Ms, 1)} ms`);
    }
  }
  const p99 = (beside: Workload | null): number[] => (measured.get(beside) ?? []).map(({ others }) => others.p99Ms);
  return {
    figures: [
      {
        name: `${side.name}: P99 of the others beside a spread loop ÷ beside one hot wallet`,
        goal: 0.83,
        values: pairRatios(p99('uniform'), p99('hot')),
      },
      {
        name: `${side.name}: P99 of the others alone ÷ beside one hot wallet`,
        goal: null,
        values: pairRatios(p99(null), p99('hot')),
      },
    ],
    tables: [
      {
        title: `${RATE_PER_S} earns a second on all wallets, open loop`,
        columns: ['', 'p50 ms', 'p99 ms', 'lowest p99', 'highest p99', 'generator late, p99 ms', 'the loop, earns/s'],
        rows: [...measured].map(([beside, all]) => [
          names[beside ?? 'none'],
          formatNumber(median(all.map(({ others }) => others.p50Ms)), 1),
          formatNumber(median(p99(beside)), 1),
          formatNumber(Math.min(...p99(beside)), 1),
          formatNumber(Math.max(...p99(beside)), 1),
          formatNumber(median(all.map(({ others }) => others.latenessP99Ms)), 1),
          beside === null ? '–' : formatNumber(median(all.map(({ loopPerSecond }) => loopPerSecond))),
        ]),
      },
    ],
    notes: [`The loop beside the others has ${settings.connections} connections, each with one earn at a time.`],
  };
};

function othersPlan({ environment }: Stage, seed: number) {
  const fixed = { workload: 'uniform', ratePerSecond: RATE_PER_S, connections: CONNECTIONS } as const;
  return { ...fixed, dir: environment.dir, seconds: SECONDS, seed };
}

async function runBoth(stage: Stage, side: HttpSide, beside: Workload | null, seed: number) {
  const { environment, settings } = stage;
  const seconds = SECONDS + 2 * AROUND_SECONDS;
  const plan = { dir: environment.dir, connections: settings.connections, seconds };
  const running = beside === null ? null : runLive(side, { ...plan, workload: beside });
  if (running !== null) await delay(AROUND_SECONDS * 1_000);
  const [others, loop] = await Promise.all([runOpenLoop(side, othersPlan(stage, seed)), running]);
  return { others, loop };
}

/** Every success is one row, and nothing else is but what was not answered. */
function requireSound(side: HttpSide, others: OpenLoopOutcome, loop: LiveOutcome | null, rows: number): void {
  const ok = (others.statuses['201'] ?? 0) + (loop?.ok ?? 0);
  const unknown = others.broken + (loop === null ? 0 : loop.handed - loop.ok);
  requireRows(side, rows, ok, unknown);
}
