/** The figures that count: ratios within one run, each beside its goal. Pure. */
import { formatNumber, type Table } from '../../table.ts';
import type { Figure, Series } from './report.ts';
import { median, pairRatios } from './statistics.ts';

interface Pair {
  /** `{ours}` stands for each of our sides. */
  readonly over: readonly [side: string, workload: string];
  readonly under: readonly [side: string, workload: string];
  readonly name: string;
  readonly goal: number;
}

export const oursNames = ['ours', 'ours, with relay to Kafka'] as const;

const ours = '{ours}';
const pairs: readonly Pair[] = [
  { name: 'row lock, uniform', over: [ours, 'uniform'], under: ['row lock', 'uniform'], goal: 20 },
  { name: 'row lock, one hot wallet', over: [ours, 'hot'], under: ['row lock', 'hot'], goal: 60 },
  { name: 'stored procedure, uniform', over: [ours, 'uniform'], under: ['stored procedure', 'uniform'], goal: 6 },
  { name: 'stored procedure, one hot wallet', over: [ours, 'hot'], under: ['stored procedure', 'hot'], goal: 25 },
  { name: 'its own uniform, one hot wallet', over: [ours, 'hot'], under: [ours, 'uniform'], goal: 1.2 },
  { name: 'echo, uniform', over: [ours, 'uniform'], under: ['echo', 'uniform'], goal: 0.6 },
  { name: 'TigerBeetle, uniform', over: [ours, 'uniform'], under: ['TigerBeetle', 'uniform'], goal: 1 },
  { name: 'TigerBeetle, one hot wallet', over: [ours, 'hot'], under: ['TigerBeetle', 'hot'], goal: 1.2 },
];

/** Every ratio of which both sides ran. */
export function sideFigures(series: readonly Series[]): Figure[] {
  return oursNames.flatMap((name) =>
    pairs.flatMap((pair): Figure[] => {
      const over = find(series, pair.over, name);
      const under = find(series, pair.under, name);
      if (over === undefined || under === undefined) return [];
      return [{ name: `${name} ÷ ${pair.name}`, goal: pair.goal, values: ratesRatio(over, under) }];
    }),
  );
}

export function ratesRatio(over: Series, under: Series): number[] {
  return pairRatios(
    over.rounds.map(({ perSecond }) => perSecond),
    under.rounds.map(({ perSecond }) => perSecond),
  );
}

function find(
  series: readonly Series[],
  [side, workload]: readonly [string, string],
  name: string,
): Series | undefined {
  const wanted = side === ours ? name : side;
  return series.find((one) => one.side === wanted && one.workload === workload);
}

export function isReached({ goal, values }: Figure): boolean | null {
  return goal === null ? null : median(values) >= goal;
}

export function figuresTable(figures: readonly Figure[]): Table {
  return {
    title: 'Ratios in one run, beside their goals',
    columns: ['ratio', 'goal', 'median', 'lowest', 'highest', ''],
    rows: figures.map((figure) => {
      const { name, goal, values } = figure;
      const reached = isReached(figure);
      return [
        name,
        goal === null ? '' : `≥ ${goal}`,
        ...[median(values), Math.min(...values), Math.max(...values)].map(formatRatio),
        reached === null ? '' : reached ? 'reached' : 'missed',
      ];
    }),
  };
}

/** Two digits below ten, one above. */
export function formatRatio(value: number): string {
  return formatNumber(value, Math.abs(value) < 10 ? 2 : 1);
}
