/**
 * `npm run bench:profile [-- --seconds 10] [--no-relay] [--connections 256] [--workload uniform|hot] [--name profile]`
 *
 * Where core's processor time goes under the bench's load: microseconds per earn and stage, from V8's sampling profiler, as a
 * table for ARCHITECTURE.md. Only core's main thread is sampled; what its other threads use stands below the table.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatNumber, type Table } from '../../table.ts';
import {
  describePostgres,
  type Environment,
  listOf,
  resultName,
  resultsDir,
  runBench,
  wholeNumber,
} from '../environment.ts';
import { chooseGenerator } from '../load/generator.ts';
import { single } from '../load/shape.ts';
import type { BenchReport } from '../report/report.ts';
import { machineFacts, printReport, writeReport } from '../report/results.ts';
import { type RoundResult, runRound } from '../round.ts';
import { type Workload, workloads } from '../side.ts';
import { startOurs } from '../sides/ours.ts';
import { cpuProfile, type GroupedProfile, groupProfile } from './group.ts';

interface Arguments {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly walletCount: number;
  readonly workload: Workload;
  readonly withRelay: boolean;
  readonly name: string;
}

/** Sampling alone takes a sixth of a processor. */
const QUIET_CPU_SHARE_PROFILED = 0.3;
const FILE_MS_MAX = 60_000;
const FUNCTIONS_SHOWN = 20;

runBench(readArguments, main);

async function main(environment: Environment, args: Arguments): Promise<void> {
  const { dir, postgresPid, surroundings } = environment;
  const { seconds, warmupSeconds, connections, workload, withRelay } = args;
  const file = join(dir, 'core.cpuprofile');
  const side = environment.keep(
    await startOurs(surroundings, {
      withRelay,
      entry: fileURLToPath(new URL('core-under-profile.ts', import.meta.url)),
      environment: { PROFILE_FILE: file },
    }),
  );
  const generator = await chooseGenerator('cheapest');
  const settings = { generator, dir, postgresPid, connections };
  const plan = { workload, shape: single, expectedPerSecond: null };
  const warm = await runRound({ ...settings, seconds: warmupSeconds, warmupSeconds: 0 }, side, plan);
  const measured = { ...settings, seconds, warmupSeconds: 0 };
  // A warm process is far faster than the same one in its first seconds.
  const plain = await runRound(measured, side, { ...plan, expectedPerSecond: 2 * warm.perSecond });
  process.kill(side.pid, 'SIGUSR2');
  await untilThere(`${file}.began`);
  const profiled = { ...measured, quietCpuShare: QUIET_CPU_SHARE_PROFILED };
  const round = await runRound(profiled, side, { ...plan, expectedPerSecond: plain.perSecond });
  process.kill(side.pid, 'SIGUSR2');
  await untilThere(file);
  const grouped = groupProfile(cpuProfile.parse(JSON.parse(readFileSync(file, 'utf8'))));
  const report: BenchReport = {
    name: args.name,
    command: ['npm run bench:profile --', ...process.argv.slice(2)].join(' ').replace(/ --$/, ''),
    startedAt: environment.startedAt,
    machine: machineFacts(await describePostgres(environment.postgres)),
    settings: { seconds, connections, wallets: args.walletCount, workload },
    series: [],
    figures: [],
    tables: [stageTable(grouped, round), functionTable(grouped, round)],
    notes: notesOf(grouped, plain, round),
  };
  printReport(report);
  console.log(`Written to ${writeReport(resultsDir, report)}`);
}

async function untilThere(path: string): Promise<void> {
  const deadlineMs = performance.now() + FILE_MS_MAX;
  while (!existsSync(path)) {
    if (performance.now() > deadlineMs) throw new Error(`the profiler did not write ${path}`);
    await delay(50);
  }
}

function stageTable({ stageUs, busyUs }: GroupedProfile, { rows }: RoundResult): Table {
  const row = (name: string, us: number): string[] => [
    name,
    formatNumber(us / rows, 1),
    `${formatNumber((100 * us) / busyUs, 1)} %`,
  ];
  return {
    title: 'One earn in core, main thread (① and ② are the edge)',
    columns: ['stage', 'µs', 'share'],
    rows: [...[...stageUs].map(([stage, us]) => row(stage, us)), row('together', busyUs)],
  };
}

function functionTable({ functions }: GroupedProfile, { rows }: RoundResult): Table {
  return {
    title: 'The functions with the most time of their own',
    columns: ['function', 'µs', 'stage'],
    rows: functions.slice(0, FUNCTIONS_SHOWN).map(({ name, stage, us }) => [name, formatNumber(us / rows, 2), stage]),
  };
}

function notesOf({ idleUs, busyUs }: GroupedProfile, plain: RoundResult, round: RoundResult): string[] {
  const us = (result: RoundResult): string => formatNumber((result.cpuS.server / result.rows) * 1e6, 1);
  return [
    `All threads of core together used ${us(round)} µs an earn under the profiler, ${us(plain)} without it.`,
    `${formatNumber(round.perSecond)} earns a second under the profiler, ${formatNumber(plain.perSecond)} without it.`,
    `The main thread was idle ${formatNumber((100 * idleUs) / (idleUs + busyUs), 1)} % of the profile, which begins a little before the load and ends a little after it.`,
    'A sample counts for the nearest caller whose file belongs to a stage; the time that the thread waits for a processor counts as used.',
  ];
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      warmup: { type: 'string', default: '3' },
      connections: { type: 'string', default: '256' },
      wallets: { type: 'string', default: '10000' },
      workload: { type: 'string', default: 'uniform' },
      'no-relay': { type: 'boolean', default: false },
      name: { type: 'string', default: 'profile' },
    },
  });
  const [workload = 'uniform'] = listOf('--workload', values.workload, workloads);
  return {
    seconds: wholeNumber('--seconds', values.seconds, 15),
    warmupSeconds: wholeNumber('--warmup', values.warmup, 15),
    connections: wholeNumber('--connections', values.connections, 10_000),
    walletCount: wholeNumber('--wallets', values.wallets, 1_000_000),
    workload,
    withRelay: !values['no-relay'],
    name: resultName(values.name),
  };
}
