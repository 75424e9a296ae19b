/** Many histories one after the other, until one fails; and what all of them met together. */
import { setImmediate } from 'node:timers/promises';
import { type Report, simulate } from './history.ts';
import { clientFaults, incidents, type PlanChanges, planOf, statementFaults } from './plan.ts';
import { type Met, situations } from './world.ts';

export interface Seeds {
  readonly from: number;
  readonly count: number;
  /** From one to the next: so that several processes can share them. */
  readonly step: number;
}

export interface Tally {
  seeds: number;
  operations: number;
  postings: number;
  reads: number;
  happenings: number;
  readonly met: Record<string, number>;
  failure: { readonly seed: number; readonly violation: string } | null;
}

/** From here on a run has met everything, or something is wrong with the simulator. */
export const COVERING_SEEDS = 1_000;

/** Everything that a history can meet. */
export const everything: readonly Met[] = [
  ...statementFaults,
  ...incidents,
  ...clientFaults,
  'look-up refused',
  'oversize',
  ...situations,
];

export function emptyTally(): Tally {
  return { seeds: 0, operations: 0, postings: 0, reads: 0, happenings: 0, met: {}, failure: null };
}

/** @param heard called after every history; false: enough */
export async function runSeeds(
  seeds: Seeds,
  changes: PlanChanges = {},
  heard: (tally: Tally) => boolean = () => true,
): Promise<Tally> {
  const tally = emptyTally();
  for (let index = 0; index < seeds.count; index++) {
    const seed = seeds.from + index * seeds.step;
    const report = await simulateAlone(seed, changes);
    add(tally, report);
    if (report.violation !== null) tally.failure = { seed, violation: report.violation };
    if (!heard(tally) || tally.failure !== null) break;
  }
  return tally;
}

/** With the promises that nobody looked after: the event loop tells of them between two histories. */
async function simulateAlone(seed: number, changes: PlanChanges): Promise<Report> {
  let unhandled: unknown = null;
  const listen = (cause: unknown): void => {
    unhandled ??= cause;
  };
  process.on('unhandledRejection', listen);
  try {
    const report = await simulate(planOf(seed, changes));
    await setImmediate();
    if (unhandled === null) return report;
    return { ...report, violation: `bug: nobody looked after ${unhandled}` };
  } finally {
    process.off('unhandledRejection', listen);
  }
}

function add(tally: Tally, report: Report): void {
  tally.seeds++;
  tally.operations += report.operations;
  tally.postings += report.postings;
  tally.reads += report.reads;
  tally.happenings += report.happenings;
  for (const [what, count] of report.met) tally.met[what] = (tally.met[what] ?? 0) + count;
}

export function merge(into: Tally, other: Tally): void {
  into.seeds += other.seeds;
  into.operations += other.operations;
  into.postings += other.postings;
  into.reads += other.reads;
  into.happenings += other.happenings;
  for (const [what, count] of Object.entries(other.met)) into.met[what] = (into.met[what] ?? 0) + count;
  into.failure ??= other.failure;
}

/** What a run never met. */
export function unmet(tally: Tally): readonly Met[] {
  return everything.filter((what) => tally.met[what] === undefined);
}
