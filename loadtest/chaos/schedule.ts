/**
 * What happens when, from the seed alone: for each lane an endless row of faults, each with all that chance decides about it.
 * A lane's next fault comes a while after its last one was over. Pure: the same seed and faults, the same row.
 *
 * Every fault comes once before any comes again; then each as often as its weight says.
 */
import { Random } from '../../actors/simulator/random.ts';
import { type Draw, type Fault, type Lane, lanes } from './faults/index.ts';
import { limits } from './limits.ts';
import { linkNames } from './stage/links.ts';

export interface Planned {
  readonly fault: Fault;
  /** After the end of the one before. */
  readonly gapMs: number;
  readonly draw: Draw;
}

/** By lane; longer where more goes on beside the clients' own work. */
const gapsMs: Readonly<Record<Lane, readonly [number, number]>> = { core: [200, 1_500], around: [800, 4_000] };

export function* planOf(seed: number, lane: Lane, faults: readonly Fault[]): Generator<Planned, void> {
  const random = new Random(seed, lanes.indexOf(lane) + 1);
  const each = faults.filter((fault) => fault.lane === lane);
  const weighted = each.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  for (let round = each; round.length > 0; round = weighted) {
    for (const fault of shuffled(round, random)) {
      const [gapMin, gapMax] = gapsMs[lane];
      yield { fault, gapMs: random.between(gapMin, gapMax), draw: drawOf(fault, random) };
    }
  }
}

/** In a fixed order, whatever the fault needs of it. */
function drawOf({ forMs, backMs = [250, 250], links = linkNames }: Fault, random: Random): Draw {
  return {
    core: random.between(1, limits.cores),
    link: random.pick(links),
    forMs: random.between(...forMs),
    backMs: random.between(...backMs),
    bytes: random.between(1, 4_000),
    count: random.between(10, 400),
    flag: random.chance(0.5),
  };
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [mixed[last], mixed[other]] = [mixed[other] as Item, mixed[last] as Item];
  }
  return mixed;
}
