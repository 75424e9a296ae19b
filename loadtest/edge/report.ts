/** The tables of the edge's bench, and the files that keep them. Goals stand beside the figures; people judge. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { formatNumber, formatTable, markdownTable, type Table } from '../table.ts';
import type { CostSeries } from './cost.ts';
import type { Delays } from './delays.ts';
import { type MemorySample, sampleAt } from './memory.ts';
import type { Upload } from './start-up.ts';

/** What was not measured is absent. */
export interface EdgeReport {
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly cost?: readonly CostSeries[];
  readonly memory?: readonly MemorySample[];
  readonly uploads?: readonly Upload[];
  /** Milliseconds. */
  readonly starts?: Readonly<Record<'edge' | 'bare', readonly number[]>>;
  readonly delays?: readonly Delays[];
}

const MIB = 2 ** 20;
/** https://developers.cloudflare.com/workers/platform/limits/#worker-size, compressed; the smaller of the plans' limits. */
const UPLOAD_GZIP_KIB_MAX = 3 * 1_024;
const goalsUs: Readonly<Record<string, number>> = { 'edge get': 500, 'edge post': 500, 'edge catalog': 250 };
const RATIO_GOAL = 2;
const kindNames: Readonly<Record<string, string>> = {
  get: 'GET, forwarded',
  post: 'POST, forwarded',
  catalog: 'catalog, from the cache',
};

export function machineFacts(workerdVersion: string): Record<string, string> {
  const processors = cpus();
  return {
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memory: `${formatNumber(totalmem() / 2 ** 30, 1)} GiB`,
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
    workerd: workerdVersion,
  };
}

export function tablesOf(report: EdgeReport): Table[] {
  return [
    ...(report.cost ? [costTable(report.cost), ratioTable(report.cost)] : []),
    ...(report.memory ? [memoryTable(report.memory)] : []),
    ...(report.uploads ? [uploadTable(report.uploads)] : []),
    ...(report.starts ? [startTable(report.starts)] : []),
    ...(report.delays ? [delayTable(report.delays)] : []),
  ];
}

function costTable(cost: readonly CostSeries[]): Table {
  return {
    title: 'Processor time of workerd per request, µs',
    columns: ['worker', 'request', 'median', 'lowest', 'highest', 'goal', 'requests/s', 'p50 ms', 'p99 ms', 'requests'],
    rows: cost.map(({ worker, kind, rounds }) => {
      const us = rounds.map(({ cpuUs }) => cpuUs);
      const goal = goalsUs[`${worker} ${kind}`];
      return [
        worker === 'edge' ? 'ours' : 'bare proxy',
        kindNames[kind] ?? kind,
        ...[median(us), Math.min(...us), Math.max(...us)].map((value) => formatNumber(value)),
        goal === undefined ? '–' : `${goal}`,
        formatNumber(median(rounds.map(({ perSecond }) => perSecond))),
        formatNumber(median(rounds.map(({ p50Ms }) => p50Ms)), 1),
        formatNumber(median(rounds.map(({ p99Ms }) => p99Ms)), 1),
        formatNumber(rounds.reduce((sum, { answers }) => sum + answers, 0)),
      ];
    }),
  };
}

/** In pairs of the same round. */
function ratioTable(cost: readonly CostSeries[]): Table {
  const rows = cost.flatMap(({ worker, kind, rounds }) => {
    const bare = cost.find((one) => one.worker === 'bare' && one.kind === kind);
    if (worker !== 'edge' || bare === undefined) return [];
    const ratios = rounds.map(({ cpuUs }, at) => cpuUs / (bare.rounds[at]?.cpuUs ?? Number.NaN));
    const figures = [median(ratios), Math.min(...ratios), Math.max(...ratios)];
    return [[kindNames[kind] ?? kind, ...figures.map((value) => formatNumber(value, 2)), `${RATIO_GOAL}`]];
  });
  return { title: 'Ours ÷ bare proxy', columns: ['request', 'median', 'lowest', 'highest', 'goal'], rows };
}

function memoryTable(memory: readonly MemorySample[]): Table {
  const total = memory.at(-1)?.requests ?? 0;
  const rssOf = (share: number): number => sampleAt(memory, total * share).rssBytes;
  const mb = (bytes: number): string => formatNumber(bytes / MIB, 1);
  const rows = [0, 0.1, 0.25, 0.5, 0.75, 1].map((share) => {
    const { requests, rssBytes } = sampleAt(memory, total * share);
    return [formatNumber(requests), mb(rssBytes), ''];
  });
  const growth = `${mb(rssOf(1) - rssOf(0.5))} in the second half`;
  return {
    title: 'Resident memory of workerd, MiB',
    columns: ['requests', 'memory', 'growth'],
    rows: rows.map((row, at) => (at === rows.length - 1 ? [...row.slice(0, 2), growth] : row)),
  };
}

function uploadTable(uploads: readonly Upload[]): Table {
  return {
    title: 'What is deployed, KiB (wrangler deploy --dry-run)',
    columns: ['environment', 'raw', 'gzip', 'limit, gzip'],
    rows: uploads.map(({ environment, kib, gzipKib }) => [
      environment || '(top level)',
      formatNumber(kib),
      formatNumber(gzipKib),
      formatNumber(UPLOAD_GZIP_KIB_MAX),
    ]),
  };
}

function startTable(starts: NonNullable<EdgeReport['starts']>): Table {
  return {
    title: 'From the start of workerd to its first answer, ms',
    columns: ['worker', 'median', 'lowest', 'highest', 'starts'],
    rows: (['edge', 'bare'] as const).map((worker) => {
      const times = starts[worker];
      const figures = [median(times), Math.min(...times), Math.max(...times)].map((value) => formatNumber(value));
      return [worker === 'edge' ? 'ours' : 'bare proxy', ...figures, `${times.length}`];
    }),
  };
}

function delayTable(delays: readonly Delays[]): Table {
  return {
    title: 'From the call to its effect at the edge, in use, ms',
    columns: ['what', 'from', 'p50', 'p90', 'p99', 'max', 'samples'],
    rows: delays.flatMap(({ what, fromCallMs, fromAnswerMs }) =>
      [['the call', fromCallMs] as const, ['its answer', fromAnswerMs] as const].map(([from, times]) => [
        what,
        from,
        ...[0.5, 0.9, 0.99, 1].map((share) => formatNumber(percentile(times, share))),
        `${times.length}`,
      ]),
    ),
  };
}

/** The smallest value that so large a share does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function printReport(report: EdgeReport): void {
  for (const table of tablesOf(report)) console.log(formatTable(table));
}

/** Writes `<name>.json` and `<name>.md` and returns the latter's path. */
export function writeReport(dir: string, name: string, report: EdgeReport): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  const markdown = [
    `# Bench: ${name}`,
    '',
    `Run on ${report.startedAt} by \`npm run bench:edge\`.`,
    '',
    ...Object.entries({ ...report.machine, ...report.settings }).map(([fact, value]) => `- ${fact}: ${value}`),
    ...tablesOf(report).map(markdownTable),
  ].join('\n');
  const path = join(dir, `${name}.md`);
  writeFileSync(path, `${markdown.trimEnd()}\n`);
  return path;
}
