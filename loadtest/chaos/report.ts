/** What runs leave behind: `loadtest/results/chaos.json` keeps every recorded run, `chaos.md` is made of it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckResult } from '../reconcile/checks.ts';
import { formatNumber, formatTable, markdownTable, type Table } from '../table.ts';
import type { Refused } from './core-logs.ts';
import { faults } from './faults/index.ts';
import type { Figures, Samples } from './figures.ts';

export interface RunReport {
  readonly startedAt: string;
  /** Repeats it. */
  readonly command: string;
  readonly seed: number;
  readonly seconds: number;
  readonly ratePerS: number;
  readonly machine: Readonly<Record<string, string>>;
  /** How often each fault struck; why others did not. */
  readonly struck: Readonly<Record<string, number>>;
  readonly notRun: Readonly<Record<string, string>>;
  /** Processes that were killed, by part. */
  readonly killed: Readonly<Record<string, number>>;
  /** Zombies that were replaced before they went on. */
  readonly zombies: number;
  /** Processes whose packets vanished until they had been replaced. Runs recorded before there were such have none. */
  readonly partitioned?: number;
  /** What processes that had been replaced say, in their logs, about how they learned of it. */
  readonly refused?: Refused;
  /** Moves of shards between processes. */
  readonly moves: number;
  readonly figures: Figures;
  /** Calls that nobody was told the end of: how many were asked again, how many of those had happened; then those left to the ledger. */
  readonly unknown: {
    readonly asked: number;
    readonly askedHappened: number;
    readonly left: number;
    readonly leftHappened: number;
  };
  readonly settleMs: number;
  readonly checks: readonly CheckResult[];
}

const sampleNames: Readonly<Record<keyof Samples, string>> = {
  takeOver: 'SIGKILL of core, replaced: first answer on its shards',
  backFirst: 'SIGKILL of core, back before: first answer on its shards',
  handOverCall: 'SIGTERM of core: longest call on its shards meanwhile',
  handOverPause: 'hand-over: a group of shards is served by nobody',
  postgresBack: 'Postgres accepts connections again: first answered write',
};

export function printReport(run: RunReport): void {
  const runs = [run];
  for (const table of [checksTable(runs), timesTable(run), countsTable(runs), answersTable(runs)]) {
    console.log(formatTable(table));
  }
  const struck = Object.entries(run.struck).map(([fault, times]) => `${fault} ${times}`);
  console.log(`\nFaults: ${struck.join(', ')}.`);
  for (const sentence of notRunSentences(run)) console.log(sentence);
}

/** One for each reason. */
export function notRunSentences({ notRun }: Pick<RunReport, 'notRun'>): string[] {
  const byReason = Object.groupBy(Object.entries(notRun), ([, why]) => why);
  return Object.entries(byReason).map(
    ([why, left = []]) => `Not run: ${left.map(([fault]) => fault).join(', ')}, because ${why}.`,
  );
}

/** Adds the run to those that are there. Returns the path of the readable form. */
export function recordRun(dir: string, run: RunReport): string {
  mkdirSync(dir, { recursive: true });
  const jsonPath = join(dir, 'chaos.json');
  const before = existsSync(jsonPath) ? (JSON.parse(readFileSync(jsonPath, 'utf8')) as { runs: RunReport[] }).runs : [];
  const runs = [...before, run];
  writeFileSync(jsonPath, `${JSON.stringify({ runs }, null, 1)}\n`);
  const path = join(dir, 'chaos.md');
  writeFileSync(path, markdownOf(runs));
  return path;
}

function markdownOf(runs: readonly RunReport[]): string {
  const [first] = runs;
  return [
    '# Chaos',
    '',
    'Real processes, broken on purpose under load; then every answer is held against the ledger and Kafka. All runs together:',
    '',
    ...runs.map(
      ({ startedAt, command, killed, checks }) =>
        `- ${startedAt}: \`${command}\`; killed ${listOf(killed)}; ${violationsOf(checks)} violations`,
    ),
    '',
    ...Object.entries(first?.machine ?? {}).map(([fact, value]) => `- ${fact}: ${value}`),
    ...[checksTable(runs), countsTable(runs), ...runs.map(timesTable), answersTable(runs), faultsTable(runs)].map(
      markdownTable,
    ),
  ].join('\n');
}

function checksTable(runs: readonly RunReport[]): Table {
  const names = [...new Set(runs.flatMap(({ checks }) => checks.map(({ name }) => name)))];
  const rows = names.map((name) => {
    const all = runs.flatMap(({ checks }) => checks.filter((check) => check.name === name));
    const sum = (of: (check: CheckResult) => number): number => all.reduce((total, check) => total + of(check), 0);
    const first = all.find((check) => check.first !== null)?.first;
    const note = first ?? all.map((check) => check.note).find((text) => text !== undefined);
    return [
      name,
      formatNumber(sum(({ looked }) => looked)),
      formatNumber(sum(({ violations }) => violations)),
      note ?? '',
    ];
  });
  return { title: 'What has to hold', columns: ['check', 'looked at', 'violations', 'first'], rows };
}

function timesTable({ command, figures }: RunReport): Table {
  const rows = (Object.keys(sampleNames) as (keyof Samples)[]).map((kind) => {
    const sorted = figures.samples[kind].toSorted((a, b) => a - b);
    const at = (share: number): string => {
      const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      return value === undefined ? '–' : formatNumber(value);
    };
    return [sampleNames[kind], formatNumber(sorted.length), at(0), at(0.5), at(0.9), at(0.99), at(1)];
  });
  return {
    title: `How long, ms (${command})`,
    columns: ['what', 'samples', 'least', 'p50', 'p90', 'p99', 'most'],
    rows,
  };
}

function countsTable(runs: readonly RunReport[]): Table {
  const sum = (of: (run: RunReport) => number): string => formatNumber(runs.reduce((total, run) => total + of(run), 0));
  const most = (of: (run: RunReport) => number): string => formatNumber(Math.max(0, ...runs.map(of)));
  const killed = new Set(runs.flatMap((run) => Object.keys(run.killed)));
  const rows = [
    ['calls', sum(({ figures }) => figures.calls)],
    ['attempts', sum(({ figures }) => figures.attempts)],
    ...[...killed].map((part) => [`SIGKILLs of ${part}`, sum((run) => run.killed[part] ?? 0)]),
    ['processes stopped, replaced, continued', sum(({ zombies }) => zombies)],
    ['processes cut off by lost packets, replaced, healed', sum(({ partitioned }) => partitioned ?? 0)],
    ['late batches of replaced processes, refused by their epoch', sum(({ refused }) => refused?.batches ?? 0)],
    ['replaced processes that a beat told', sum(({ refused }) => refused?.beats ?? 0)],
    ['moves of shards', sum(({ moves }) => moves)],
    ['unknown outcomes asked again', sum(({ unknown }) => unknown.asked)],
    ['… of these had happened', sum(({ unknown }) => unknown.askedHappened)],
    ['unknown outcomes left to the ledger', sum(({ unknown }) => unknown.left)],
    ['… of these had happened', sum(({ unknown }) => unknown.leftHappened)],
    ['longest time without any answered write, ms', most(({ figures }) => figures.longestSilenceMs)],
    ['longest call, its pauses included, ms', most(({ figures }) => figures.longestCallMs)],
    ['longest time to settle after the last fault, ms', most(({ settleMs }) => settleMs)],
  ];
  return { title: 'Counts', columns: ['what', 'number'], rows };
}

function answersTable(runs: readonly RunReport[]): Table {
  const counts = new Map<string, number>();
  for (const { figures } of runs) {
    for (const [answer, times] of Object.entries(figures.answers))
      counts.set(answer, (counts.get(answer) ?? 0) + times);
  }
  const rows = [...counts].sort(([, a], [, b]) => b - a).map(([answer, times]) => [answer, formatNumber(times)]);
  return { title: 'Answers to single attempts', columns: ['answer', 'times'], rows };
}

function faultsTable(runs: readonly RunReport[]): Table {
  const rows = faults.map(({ name, does, leaves, standsFor }) => {
    const times = runs.reduce((total, { struck }) => total + (struck[name] ?? 0), 0);
    const why = runs.map(({ notRun }) => notRun[name]).find((text) => text !== undefined);
    return [name, times === 0 && why !== undefined ? `not run: ${why}` : formatNumber(times), standsFor, does, leaves];
  });
  return {
    title: 'Faults',
    columns: ['fault', 'struck', 'stands for', 'what it does', 'what has to be so afterwards'],
    rows,
  };
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([part, times]) => `${part} ${times} ×`)
      .join(', ') || 'nobody'
  );
}

export function violationsOf(checks: readonly CheckResult[]): number {
  return checks.reduce((sum, { violations }) => sum + violations, 0);
}
