/**
 * What the rounds say: medians and spread per side, ratios of pairs of the same round, and the files that keep them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { formatNumber, formatTable, markdownTable, type Table } from '../table.ts';
import type { RoundResult, Workload } from './round.ts';

/** The results of one side under one workload, in the order of the rounds. */
export interface Series {
  readonly side: string;
  readonly workload: Workload;
  readonly rounds: readonly RoundResult[];
}

export interface BenchReport {
  readonly name: string;
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly series: readonly Series[];
  readonly notes: readonly string[];
}

export function machineFacts(postgresVersion: string): Record<string, string> {
  const processors = cpus();
  return {
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memory: `${formatNumber(totalmem() / 2 ** 30, 1)} GiB`,
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
    postgres: postgresVersion,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function tablesOf(series: readonly Series[]): Table[] {
  const tables = [throughputTable(series), costTable(series)];
  const ratios = ratioTable(series);
  return ratios === null ? tables : [...tables, ratios];
}

function throughputTable(series: readonly Series[]): Table {
  return {
    title: 'Durable earns per second',
    columns: ['side', 'wallets', 'median/s', 'lowest/s', 'highest/s', 'p50 ms', 'p99 ms', 'earns'],
    rows: series.map(({ side, workload, rounds }) => {
      const rates = rounds.map(({ perSecond }) => perSecond);
      return [
        side,
        workload,
        formatNumber(median(rates)),
        formatNumber(Math.min(...rates)),
        formatNumber(Math.max(...rates)),
        formatNumber(median(rounds.map(({ p50Ms }) => p50Ms)), 1),
        formatNumber(median(rounds.map(({ p99Ms }) => p99Ms)), 1),
        formatNumber(rounds.reduce((sum, { rows }) => sum + rows, 0)),
      ];
    }),
  };
}

function costTable(series: readonly Series[]): Table {
  const microseconds = (rounds: readonly RoundResult[], part: keyof RoundResult['cpuS']): string =>
    formatNumber(median(rounds.map(({ cpuS, rows }) => (cpuS[part] / rows) * 1e6)), 1);
  return {
    title: 'Processor time per earn, µs',
    columns: ['side', 'wallets', 'server', 'Postgres', 'Kafka', 'generator', 'works on after, ms'],
    rows: series.map(({ side, workload, rounds }) => [
      side,
      workload,
      ...(['server', 'postgres', 'kafka', 'generator'] as const).map((part) => microseconds(rounds, part)),
      formatNumber(median(rounds.map(({ aftermathMs }) => aftermathMs))),
    ]),
  };
}

/** Each side against the row lock, in pairs of the same round. null: there is nothing to compare with. */
function ratioTable(series: readonly Series[]): Table | null {
  const rows = series.flatMap(({ side, workload, rounds }) => {
    const other = series.find((one) => one.side.startsWith('row lock') && one.workload === workload);
    if (other === undefined || side.startsWith('row lock')) return [];
    const ratios = rounds.map(({ perSecond }, index) => perSecond / (other.rounds[index]?.perSecond ?? Number.NaN));
    const latencies = rounds.map(({ p99Ms }, index) => (other.rounds[index]?.p99Ms ?? Number.NaN) / p99Ms);
    return [
      [
        `${side} ÷ row lock`,
        workload,
        ...[median(ratios), Math.min(...ratios), Math.max(...ratios), median(latencies)].map((value) =>
          formatNumber(value, 1),
        ),
      ],
    ];
  });
  if (rows.length === 0) return null;
  const columns = ['ratio', 'wallets', 'median', 'lowest', 'highest', 'p99 of row lock ÷ its'];
  return { title: 'Ratios, in pairs of the same round', columns, rows };
}

export function printReport(report: BenchReport): void {
  for (const table of tablesOf(report.series)) console.log(formatTable(table));
  console.log('');
  for (const note of report.notes) console.log(note);
}

/** Writes `<name>.json` and `<name>.md` and returns the latter's path. */
export function writeReport(dir: string, report: BenchReport): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${report.name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  const facts = { ...report.machine, ...report.settings };
  const markdown = [
    `# Bench: ${report.name}`,
    '',
    `Run on ${report.startedAt} by \`npm run bench\`.`,
    '',
    ...Object.entries(facts).map(([fact, value]) => `- ${fact}: ${value}`),
    ...tablesOf(report.series).map(markdownTable),
    ...report.notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
  const path = join(dir, `${report.name}.md`);
  writeFileSync(path, markdown);
  return path;
}
