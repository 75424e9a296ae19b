/**
 * One to ten times the capacity is offered in an open loop: what is still done at the worst, beside the peak.
 *
 * A small machine cannot send ten times what it can serve. So every commit is made to take half a second (a trigger on the fence's
 * row sleeps), which bounds the capacity by what a batch may hold, and leaves the processor to the crowd.
 */
import { runtimeLimits } from '@local-plus/actors';
import postgres from 'postgres';
import { formatNumber, type Table } from '../../table.ts';
import { type OpenLoopOutcome, runOpenLoop } from '../load/open-loop.ts';
import { requireRows, runRound, uniformSingles, untilQuiet } from '../round.ts';
import type { HttpSide } from '../side.ts';
import { startOurs } from '../sides/ours.ts';
import type { Scenario } from './scenario.ts';

const COMMIT_S = 0.5;
/** Full batches, one after the other. */
const CAPACITY_PER_S = runtimeLimits.batchCommandsMax / COMMIT_S;
/** Offered, times the capacity; the last is what comes after the crowd. */
const STEPS = [1, 2, 5, 10];
const AFTERWARDS = 0.5;
const STEP_SECONDS = 10;
/** More than wait in the ledger at a time. */
const CONNECTIONS = 6_000;

interface Step {
  readonly times: number;
  readonly outcome: OpenLoopOutcome;
}

export const overload: Scenario = async ({ environment, settings, rounds, seed }) => {
  const side = environment.keep(await startOurs(environment.surroundings, { label: 'ours-overload' }));
  // Accounts are in memory and code is warm before the commits get slow.
  await runRound({ ...settings, seconds: 1, warmupSeconds: 0 }, side, uniformSingles);
  await slowDown(side.databaseUrl);
  const steps: Step[] = [];
  const ratios: number[] = [];
  const afterwards: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const goodputs: number[] = [];
    for (const times of [...STEPS, AFTERWARDS]) {
      await untilQuiet(settings, side);
      const outcome = await offer(side, environment.dir, times, seed + round);
      steps.push({ times, outcome });
      if (times === AFTERWARDS) afterwards.push(outcome.okInTime / outcome.offered);
      else goodputs.push(outcome.okInTime / outcome.seconds);
      console.log(
        `round ${round + 1}  ${times} × the capacity: ${formatNumber(outcome.okInTime / outcome.seconds)}/s done`,
      );
    }
    ratios.push((goodputs.at(-1) ?? Number.NaN) / Math.max(...goodputs));
  }
  const faults = (await side.audit?.()) ?? [];
  if (faults.length > 0) throw new Error(`${side.name}: ${faults.join('; ')}`);
  return {
    figures: [
      { name: `ours: goodput at ${STEPS.at(-1)} × the capacity ÷ peak`, goal: 0.9, values: ratios },
      {
        name: `ours: of ${AFTERWARDS} × the capacity, right after the crowd, answered`,
        goal: null,
        values: afterwards,
      },
    ],
    tables: [stepsTable(steps)],
    notes: [
      `Overload: every commit takes ${COMMIT_S} s, so that batches of ${runtimeLimits.batchCommandsMax} make a capacity of ${formatNumber(CAPACITY_PER_S)}/s.`,
    ],
  };
};

/** From now on a batch takes so long; taking the writer over does not. */
async function slowDown(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(`
      create function sleep_a_while() returns trigger language plpgsql as
        $$ begin perform pg_sleep(${COMMIT_S}); return new; end $$;
      create trigger slow_commit before update on writers for each row
        when (old.batch is distinct from new.batch) execute function sleep_a_while()`);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Every success is one row; what was refused is none, and what broke off may be one. */
async function offer(side: HttpSide, dir: string, times: number, seed: number): Promise<OpenLoopOutcome> {
  const before = (await side.countRows?.()) ?? 0;
  const outcome = await runOpenLoop(side, {
    dir,
    workload: 'uniform',
    ratePerSecond: CAPACITY_PER_S * times,
    seconds: STEP_SECONDS,
    connections: CONNECTIONS,
    seed,
  });
  const rows = ((await side.countRows?.()) ?? 0) - before;
  const ok = outcome.statuses['201'] ?? 0;
  const unknown = (outcome.statuses['503'] ?? 0) + outcome.broken;
  requireRows(side, rows, ok, unknown);
  return outcome;
}

function stepsTable(steps: readonly Step[]): Table {
  return {
    title: 'Overload: what is done of what is offered',
    columns: ['× capacity', 'offered/s', 'done/s', 'refused with 429', 'other answers', 'not sent', 'p50 ms', 'p99 ms'],
    rows: steps.map(({ times, outcome }) => {
      const { offered, seconds, okInTime, statuses, unsent, broken, p50Ms, p99Ms } = outcome;
      const refused = statuses['429'] ?? 0;
      const answers = Object.values(statuses).reduce((sum, count) => sum + count, 0);
      return [
        formatNumber(times, 1),
        formatNumber(offered / seconds),
        formatNumber(okInTime / seconds),
        formatNumber(refused),
        formatNumber(answers - refused - (statuses['201'] ?? 0) + broken),
        formatNumber(unsent),
        formatNumber(p50Ms, 1),
        formatNumber(p99Ms, 1),
      ];
    }),
  };
}
