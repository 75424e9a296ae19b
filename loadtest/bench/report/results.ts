/**
 * What the rounds say: medians and spread per side, ratios of pairs of the same round, and the files that keep them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { formatNumber, formatTable, markdownTable, type Table } from '../../table.ts';
import type { CpuUse, RoundResult } from '../round.ts';
import { figuresTable, formatRatio } from './figures.ts';
import { drawPicture } from './picture.ts';
import type { BenchReport, Series } from './report.ts';
import { median, pairRatios } from './statistics.ts';

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

export function tablesOf({ series, figures, tables }: Pick<BenchReport, 'series' | 'figures' | 'tables'>): Table[] {
  const all = [figuresTable(figures), throughputTable(series), costTable(series), ratioTable(series), ...tables];
  return all.filter(({ rows }) => rows.length > 0);
}

function throughputTable(series: readonly Series[]): Table {
  return {
    title: 'Durable earns per second',
    columns: ['side', 'work', 'median/s', 'lowest/s', 'highest/s', 'p50 ms', 'p99 ms', 'earns', 'rows a batch'],
    rows: series.map(({ side, workload, rounds }) => {
      const rates = rounds.map(({ perSecond }) => perSecond);
      const batches = rounds.map(({ batchRows }) => batchRows).filter((rows) => rows !== null);
      return [
        side,
        workload,
        formatNumber(median(rates)),
        formatNumber(Math.min(...rates)),
        formatNumber(Math.max(...rates)),
        latency(rounds.map(({ p50Ms }) => p50Ms)),
        latency(rounds.map(({ p99Ms }) => p99Ms)),
        formatNumber(rounds.reduce((sum, { rows }) => sum + rows, 0)),
        batches.length === 0 ? '–' : formatNumber(median(batches)),
      ];
    }),
  };
}

/** Not every generator knows its percentiles. */
function latency(values: readonly number[]): string {
  return values.some(Number.isNaN) ? '–' : formatNumber(median(values), 1);
}

function costTable(series: readonly Series[]): Table {
  const microseconds = (rounds: readonly RoundResult[], part: keyof CpuUse): string =>
    formatNumber(median(rounds.map(({ cpuS, rows }) => (cpuS[part] / rows) * 1e6)), 1);
  return {
    title: 'Processor time per row, µs',
    columns: ['side', 'work', 'server', 'Postgres', 'broker', 'generator', 'works on after, ms'],
    rows: series.map(({ side, workload, rounds }) => [
      side,
      workload,
      ...(['server', 'postgres', 'broker', 'generator'] as const).map((part) => microseconds(rounds, part)),
      formatNumber(median(rounds.map(({ aftermathMs }) => aftermathMs))),
    ]),
  };
}

/** Each side against the row lock, in pairs of the same round. */
function ratioTable(series: readonly Series[]): Table {
  const rows = series.flatMap(({ side, workload, rounds }) => {
    const other = series.find((one) => one.side === 'row lock' && one.workload === workload);
    if (other === undefined || side === 'row lock') return [];
    const ratios = pairRatios(
      rounds.map(({ perSecond }) => perSecond),
      other.rounds.map(({ perSecond }) => perSecond),
    );
    const values = [median(ratios), Math.min(...ratios), Math.max(...ratios)];
    return [[`${side} ÷ row lock`, workload, ...values.map(formatRatio)]];
  });
  return {
    title: 'Every side ÷ row lock, in pairs of the same round',
    columns: ['ratio', 'work', 'median', 'lowest', 'highest'],
    rows,
  };
}

export function printReport(report: BenchReport): void {
  for (const table of tablesOf(report)) console.log(formatTable(table));
  console.log('');
  for (const note of report.notes) console.log(note);
}

/** Writes `<name>.json`, `<name>.md`, and `<name>.svg` where there is something to draw; returns the second one's path. */
export function writeReport(dir: string, report: BenchReport): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${report.name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  const picture = drawPicture(report);
  if (picture !== null) writeFileSync(join(dir, `${report.name}.svg`), picture);
  const facts = { ...report.machine, ...report.settings };
  const markdown = [
    `# Bench: ${report.name}`,
    '',
    `Run on ${report.startedAt} by \`${report.command}\`.`,
    '',
    ...Object.entries(facts).map(([fact, value]) => `- ${fact}: ${value}`),
    ...(picture === null ? [] : ['', `![${report.name}](${report.name}.svg)`]),
    ...tablesOf(report).map(markdownTable),
    ...report.notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
  const path = join(dir, `${report.name}.md`);
  writeFileSync(path, markdown);
  return path;
}
