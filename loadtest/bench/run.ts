/**
 * `npm run bench [-- --scenarios comparison,bulk,…|all] [--sides ours,row-lock,…] [--workloads uniform,hot] [--rounds 3] [--seconds 5]
 *  [--relay] [--long-seconds 600] [--tigerbeetle DIR] [--generator cheapest|wrk|own] [--name N]`
 *
 * Durable earns per second, straight to the server: ours against what people would build instead and against what bounds it, on
 * one Postgres of its own (fsync on), in one interleaved run, so that a machine that gets slower gets slower for all.
 * At the end every ledger is audited: balances against rows.
 */
import { parseArgs } from 'node:util';
import { LoadError } from '../stack.ts';
import { Cast, type SideName, sideNames } from './cast.ts';
import {
  describePostgres,
  type Environment,
  listOf,
  resultName,
  resultsDir,
  runBench,
  wholeNumber,
} from './environment.ts';
import { chooseGenerator } from './load/generator.ts';
import type { BenchReport } from './report/report.ts';
import { machineFacts, printReport, writeReport } from './report/results.ts';
import type { RoundSettings } from './round.ts';
import { comparison } from './scenarios/comparison.ts';
import { longRun } from './scenarios/long-run.ts';
import { neighbours } from './scenarios/neighbours.ts';
import { openLoop } from './scenarios/open-loop.ts';
import { overload } from './scenarios/overload.ts';
import { postgresSettings } from './scenarios/postgres-settings.ts';
import type { Findings, Scenario } from './scenarios/scenario.ts';
import { bulkOverSingle, oneClient, replaysOverNone, sharedOverAlone } from './scenarios/variants.ts';
import { type Workload, workloads } from './side.ts';

const scenarios = {
  comparison,
  bulk: bulkOverSingle,
  replays: replaysOverNone,
  sharing: sharedOverAlone,
  'one-client': oneClient,
  'open-loop': openLoop,
  overload,
  neighbours,
  'postgres-settings': postgresSettings,
  'long-run': longRun,
} as const satisfies Record<string, Scenario>;
type ScenarioName = keyof typeof scenarios;
const scenarioNames = Object.keys(scenarios) as ScenarioName[];

interface Arguments {
  readonly scenarios: readonly ScenarioName[];
  readonly sides: readonly SideName[];
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly longSeconds: number;
  readonly connections: number;
  readonly walletCount: number;
  readonly seed: number;
  readonly ours: 'ours' | 'ours-relay';
  readonly tigerBeetleDir: string | null;
  readonly generator: 'wrk' | 'own' | 'cheapest';
  readonly name: string;
}

runBench(readArguments, main);

async function main(environment: Environment, args: Arguments): Promise<void> {
  const generator = await chooseGenerator(args.generator);
  const settings: RoundSettings = {
    generator,
    dir: environment.dir,
    postgresPid: environment.postgresPid,
    connections: args.connections,
    seconds: args.seconds,
    warmupSeconds: args.warmupSeconds,
  };
  const cast = new Cast(environment, settings, args.tigerBeetleDir);
  const findings: Findings[] = [];
  for (const name of args.scenarios) {
    console.log(`\n— ${name} —`);
    findings.push(await scenarios[name]({ ...args, environment, cast, settings }));
  }
  const faults = await cast.audit();
  if (faults.length > 0) throw new Error(`a ledger is wrong:\n${faults.join('\n')}`);
  const { rounds, seconds, connections, walletCount } = args;
  const report: BenchReport = {
    name: args.name,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    startedAt: environment.startedAt,
    machine: machineFacts(await describePostgres(environment.postgres)),
    settings: { rounds, seconds, connections, wallets: walletCount },
    series: findings.flatMap(({ series = [] }) => series),
    figures: findings.flatMap(({ figures = [] }) => figures),
    tables: findings.flatMap(({ tables = [] }) => tables),
    notes: [
      `Generator: ${generator.name}, ${connections} connections, closed loop, requests made and signed beforehand.`,
      ...findings.flatMap(({ notes = [] }) => notes),
      ...cast.notes,
      'After the run the balances of every side were the sums of its rows.',
    ],
  };
  printReport(report);
  console.log(`Written to ${writeReport(resultsDir, report)}`);
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      scenarios: { type: 'string', default: 'comparison' },
      sides: { type: 'string' },
      workloads: { type: 'string', default: workloads.join(',') },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '2' },
      'long-seconds': { type: 'string', default: '600' },
      connections: { type: 'string', default: '256' },
      wallets: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      relay: { type: 'boolean', default: false },
      tigerbeetle: { type: 'string' },
      generator: { type: 'string', default: 'cheapest' },
      name: { type: 'string', default: 'earns' },
    },
  });
  const generator = (['cheapest', 'wrk', 'own'] as const).find((name) => name === values.generator);
  if (generator === undefined) throw new LoadError('--generator is cheapest, wrk or own.');
  const tigerBeetleDir = values.tigerbeetle ?? null;
  const usual = sideNames.filter((name) => name !== 'tigerbeetle' || tigerBeetleDir !== null);
  return {
    scenarios: values.scenarios === 'all' ? scenarioNames : listOf('--scenarios', values.scenarios, scenarioNames),
    sides: values.sides === undefined ? usual : listOf('--sides', values.sides, sideNames),
    workloads: listOf('--workloads', values.workloads, workloads),
    rounds: wholeNumber('--rounds', values.rounds, 1_000),
    // A signature is good for half a minute, and is made before the round.
    seconds: wholeNumber('--seconds', values.seconds, 15),
    warmupSeconds: wholeNumber('--warmup', values.warmup, 15),
    longSeconds: wholeNumber('--long-seconds', values['long-seconds'], 86_400),
    connections: wholeNumber('--connections', values.connections, 10_000),
    walletCount: wholeNumber('--wallets', values.wallets, 1_000_000),
    seed: wholeNumber('--seed', values.seed, 2 ** 31),
    ours: values.relay ? 'ours-relay' : 'ours',
    tigerBeetleDir,
    generator,
    name: resultName(values.name),
  };
}
