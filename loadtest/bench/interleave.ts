/** Rounds of several contestants in turn, so that a machine that gets slower gets slower for all. */
import { formatNumber } from '../table.ts';
import type { Series } from './report/report.ts';
import { type RoundPlan, type RoundResult, type RoundSettings, runRound } from './round.ts';
import type { Side } from './side.ts';

/** A side as it runs under one workload. */
export interface Contestant {
  readonly side: Side;
  /** Of the workload, in the tables. */
  readonly label: string;
  readonly plan: RoundPlan;
  /** Instead of the settings' own. */
  readonly connections?: number;
  readonly postgresPid?: number;
  readonly rounds: RoundResult[];
}

/** Who follows whom in a round: A B C, B C A, C A B, so that nobody always has the same neighbour. */
export function orderOf<Item>(round: number, items: readonly Item[]): Item[] {
  const turn = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(turn), ...items.slice(0, turn)];
}

/** @param heard called after each round, before the next one */
export async function interleave(
  count: number,
  contestants: readonly Contestant[],
  settings: RoundSettings,
  heard: (contestant: Contestant, result: RoundResult) => void = () => undefined,
): Promise<void> {
  for (let number = 0; number < count; number++) {
    for (const contestant of orderOf(number, contestants)) {
      const { side, label, rounds } = contestant;
      const expectedPerSecond = expectedOf(contestant);
      const { connections = settings.connections, postgresPid = settings.postgresPid } = contestant;
      const result = await runRound({ ...settings, connections, postgresPid }, side, {
        ...contestant.plan,
        expectedPerSecond,
      });
      rounds.push(result);
      heard(contestant, result);
      console.log(`round ${number + 1}  ${side.name}, ${label}: ${formatNumber(result.perSecond)}/s`);
    }
  }
}

/** Answers a second: of the best round so far, or what is said of the first. */
function expectedOf({ plan, rounds }: Contestant): number | null {
  if (rounds.length === 0) return plan.expectedPerSecond;
  const best = Math.max(...rounds.map(({ perSecond }) => perSecond));
  return plan.shape.type === 'bulk' ? best / plan.shape.lines : best;
}

export function seriesOf(contestants: readonly Contestant[]): Series[] {
  return contestants.map(({ side, label, rounds }) => ({ side: side.name, workload: label, rounds }));
}
