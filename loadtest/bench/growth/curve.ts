/** A curve: what a request costs while one thing grows. */
import { formatNumber, type Table } from '../../table.ts';
import type { Environment } from '../environment.ts';
import { type Contestant, interleave } from '../interleave.ts';
import { formatRatio, ratesRatio } from '../report/figures.ts';
import type { Figure, Series } from '../report/report.ts';
import { median } from '../report/statistics.ts';
import type { RoundSettings } from '../round.ts';

export interface CurveStage {
  readonly environment: Environment;
  readonly settings: RoundSettings;
  readonly rounds: number;
  /** Rows of the largest ledger. */
  readonly rowsMax: number;
  readonly walletsMax: number;
  readonly actorsMax: number;
}

export interface CurveFindings {
  readonly table: Table;
  readonly series?: readonly Series[];
  readonly figures?: readonly Figure[];
  readonly notes?: readonly string[];
}

export type Curve = (stage: CurveStage) => Promise<CurveFindings>;

/** Those of the points that are no larger than the largest wanted, which is always one of them. */
export function pointsUpTo(points: readonly number[], max: number): number[] {
  return [...points.filter((point) => point < max), max];
}

/** A closed loop at every point, interleaved; throughput and processor time, and each point ÷ the first. */
export async function closedLoopCurve(
  stage: CurveStage,
  title: string,
  growing: string,
  points: readonly { readonly name: string; readonly contestant: Contestant }[],
): Promise<{ table: Table; series: Series[] }> {
  const contestants = points.map(({ contestant }) => contestant);
  await interleave(stage.rounds, contestants, stage.settings);
  const series = points.map(({ name, contestant: { side, rounds } }) => ({ side: side.name, workload: name, rounds }));
  return {
    table: { title, columns: [growing, ...columns], rows: series.map((one) => pointRow(one, series[0])) },
    series,
  };
}

const columns = ['median/s', 'lowest/s', 'highest/s', 'p99 ms', 'core µs', 'Postgres µs', 'rows a batch', '÷ first'];

function pointRow({ workload, side, rounds }: Series, first: Series | undefined): string[] {
  const rates = rounds.map(({ perSecond }) => perSecond);
  const batches = rounds.map(({ batchRows }) => batchRows).filter((rows) => rows !== null);
  const cpu = (part: 'server' | 'postgres'): string =>
    formatNumber(median(rounds.map(({ cpuS, rows }) => (cpuS[part] / rows) * 1e6)), 1);
  return [
    workload,
    formatNumber(median(rates)),
    formatNumber(Math.min(...rates)),
    formatNumber(Math.max(...rates)),
    formatNumber(median(rounds.map(({ p99Ms }) => p99Ms)), 1),
    cpu('server'),
    cpu('postgres'),
    batches.length === 0 ? '–' : formatNumber(median(batches)),
    first === undefined ? '' : formatRatio(median(ratesRatio({ workload, side, rounds }, first))),
  ];
}

/** The last point ÷ the first, in pairs of the same round. */
export function lastOverFirst(name: string, goal: number, series: readonly Series[]): Figure[] {
  const [first, last] = [series[0], series.at(-1)];
  return first === undefined || last === undefined || series.length < 2
    ? []
    : [{ name, goal, values: ratesRatio(last, first) }];
}
