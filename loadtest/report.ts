/** What a run was like, as tables: answers and latency from k6's summary, processor time and memory from the samples. */
import type { K6Summary } from './k6-program.ts';
import { limits } from './limits.ts';
import { memoryTrend, type Use } from './processor-time.ts';
import { formatNumber, type Table } from './table.ts';

/** Every threshold that does not hold, as `metric: condition (value)`. */
export function brokenThresholds(summary: K6Summary): string[] {
  return Object.entries(summary.metrics).flatMap(([metric, { thresholds, values }]) =>
    Object.entries(thresholds ?? {})
      .filter(([, { ok }]) => !ok)
      .map(([condition]) => `${metric}: ${condition} (it is ${describeValues(values, condition)})`),
  );
}

function describeValues(values: Readonly<Record<string, number>>, condition: string): string {
  const name = condition.split(/[<>=!]/)[0]?.trim() ?? '';
  const value = values[name];
  return value === undefined ? 'unknown' : formatNumber(value, 2);
}

export function requestCount(summary: K6Summary): number {
  return statisticOf(summary, 'http_reqs', 'count');
}

export function latencyTable(summary: K6Summary): Table {
  const row = (title: string, metric: string): string[] => [
    title,
    ...['med', 'p(95)', 'p(99)', 'max'].map((statistic) => formatNumber(statisticOf(summary, metric, statistic), 1)),
  ];
  return {
    title: 'Latency of what counts, ms',
    columns: ['requests', 'median', 'p95', 'p99', 'max'],
    rows: [
      row('all', 'http_req_duration{phase:measured}'),
      row('earns and burns', 'http_req_duration{scenario:writes}'),
      row('balances and catalog', 'http_req_duration{scenario:reads}'),
    ],
  };
}

export function answersTable(summary: K6Summary): Table {
  const measured = 'http_reqs{phase:measured}';
  return {
    title: 'Answers',
    columns: ['', 'count'],
    rows: [
      ['requests, with the warm-up', formatNumber(requestCount(summary))],
      ['requests that count', formatNumber(statisticOf(summary, measured, 'count'))],
      ['dropped', formatNumber(statisticOf(summary, 'dropped_iterations{phase:measured}', 'count'))],
      ['unexpected answers', formatNumber(statisticOf(summary, 'http_req_failed', 'passes'))],
      ['failed checks', formatNumber(statisticOf(summary, 'checks', 'fails'))],
    ],
  };
}

/** Where the processor goes: by part, in seconds, as a share of one core, and per request. */
export function processorTable(use: Use, requests: number): Table {
  const parts = [...use.cpuS].sort(([, one], [, other]) => other - one);
  const known = parts.reduce((sum, [, cpuS]) => sum + cpuS, 0);
  const row = (title: string, cpuS: number): string[] => [
    title,
    formatNumber(cpuS, 1),
    `${formatNumber((cpuS / use.elapsedS) * 100)} %`,
    requests > 0 ? formatNumber((cpuS / requests) * 1e6) : '–',
  ];
  return {
    title: `Where the processor goes (${formatNumber(use.elapsedS, 1)} s)`,
    columns: ['part', 'CPU s', 'of one core', 'µs per request'],
    rows: [
      ...parts.map(([part, cpuS]) => row(part, cpuS)),
      row('everything else on this machine', Math.max(0, use.machineCpuS - known)),
      row('together', Math.max(use.machineCpuS, known)),
    ],
  };
}

export function memoryTable(use: Use): Table | null {
  const trend = memoryTrend(use.memory);
  if (trend === null) return null;
  const mb = (bytes: number): string => formatNumber(bytes / 1_048_576, 1);
  return {
    title: "Core's memory, MB",
    columns: ['first', 'last', 'max', 'slope of the second half, MB/min', 'growth of the second half'],
    rows: [
      [
        mb(trend.firstBytes),
        mb(trend.lastBytes),
        mb(trend.maxBytes),
        mb(trend.slopeBytesPerMin),
        `${formatNumber(trend.growthShare * 100, 1)} %`,
      ],
    ],
  };
}

/** null: core's memory stays flat enough for a soak; else why not, in words. */
export function memoryFault(use: Use): string | null {
  const trend = memoryTrend(use.memory);
  if (trend === null) return 'there were too few samples of its memory to tell';
  if (trend.growthShare <= limits.soakGrowthShareMax) return null;
  return `its memory grew by ${formatNumber(trend.growthShare * 100, 1)} % in the second half of the run`;
}

function statisticOf(summary: K6Summary, metric: string, statistic: string): number {
  return summary.metrics[metric]?.values[statistic] ?? 0;
}
