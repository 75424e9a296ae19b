/** Scenarios that compare two closed loops with each other: bulk with single, replays with none, shared with alone, one client of two sides. */
import { type Contestant, interleave, seriesOf } from '../interleave.ts';
import { replays, type Shape, single } from '../load/shape.ts';
import { ratesRatio } from '../report/figures.ts';
import { useEveryWallet } from '../round.ts';
import type { Side } from '../side.ts';
import type { Scenario, Stage } from './scenario.ts';

/** Lines of one bulk request, and how many are under way: 4,000 lines, as many as singles would fill the lane with. */
const BULK_LINES = 1_000;
const BULK_CONNECTIONS = 4;

export const bulkOverSingle: Scenario = async (stage) => {
  const side = await stage.cast.ours(stage.ours);
  const over = contestant(side, `bulk of ${BULK_LINES}`, { type: 'bulk', lines: BULK_LINES }, BULK_CONNECTIONS);
  return await compare(stage, `${side.name}: bulk ÷ single`, 3, over, contestant(side, 'single', single));
};

export const replaysOverNone: Scenario = async (stage) => {
  const side = await stage.cast.ours(stage.ours);
  const over = contestant(side, '20 % replays', replays);
  return await compare(
    stage,
    `${side.name}: with 20 % replays ÷ without`,
    0.75,
    over,
    contestant(side, 'no replays', single),
  );
};

/** What it costs a single process that there could be others. */
export const sharedOverAlone: Scenario = async (stage) => {
  const over = contestant(await stage.cast.ours('ours'), 'single', single);
  const under = contestant(await stage.cast.oursAlone(), 'single', single);
  return await compare(stage, 'ours ÷ ours with nobody to share with', 0.95, over, under);
};

/** Only the path's length counts here: every wallet was in use before, and both servers have run for a while. */
export const oneClient: Scenario = async (stage) => {
  const side = await stage.cast.ours(stage.ours);
  const { side: procedure } = await stage.cast.rival('procedure', 'uniform');
  for (const one of [side, procedure]) await useEveryWallet(stage.settings, one);
  const over = contestant(side, 'one client', single, 1);
  const under = contestant(procedure, 'one client', single, 1);
  return await compare(stage, `${side.name} ÷ stored procedure, one client at a time`, 1, over, under);
};

function contestant(side: Side, label: string, shape: Shape, connections?: number): Contestant {
  const plan = { workload: 'uniform', shape, expectedPerSecond: null } as const;
  return { side, label, plan, rounds: [], ...(connections === undefined ? {} : { connections }) };
}

async function compare(stage: Stage, name: string, goal: number, over: Contestant, under: Contestant) {
  await interleave(stage.rounds, [over, under], stage.settings);
  const series = seriesOf([over, under]);
  const [first, second] = series;
  if (first === undefined || second === undefined) throw new Error('two contestants make two series');
  return { series, figures: [{ name, goal, values: ratesRatio(first, second) }] };
}
