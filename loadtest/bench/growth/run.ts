/**
 * `npm run bench:growth [-- --curves wallets,rows,clients,batch,lots,actors,rules,history] [--rows-max 10000000] [--wallets-max 1000000]
 *  [--actors-max 200000] [--rounds 3] [--seconds 5] [--name growth]`
 *
 * How the cost of a request grows with what is there. A curve each, on one Postgres of its own; the points of a curve take turns.
 */
import { parseArgs } from 'node:util';
import { LoadError } from '../../stack.ts';
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
import type { BenchReport } from '../report/report.ts';
import { machineFacts, printReport, writeReport } from '../report/results.ts';
import type { Curve, CurveFindings, CurveStage } from './curve.ts';
import { history } from './history.ts';
import { actors, batch, lots } from './in-process.ts';
import { clients, rows, wallets } from './over-http.ts';
import { rules } from './rules.ts';

const curves = { wallets, rows, clients, batch, lots, actors, rules, history } as const satisfies Record<string, Curve>;
type CurveName = keyof typeof curves;
const curveNames = Object.keys(curves) as CurveName[];

interface Arguments extends Pick<CurveStage, 'rounds' | 'rowsMax' | 'walletsMax' | 'actorsMax'> {
  readonly curves: readonly CurveName[];
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly walletCount: number;
  readonly name: string;
}

runBench(readArguments, main);

async function main(environment: Environment, args: Arguments): Promise<void> {
  const generator = await chooseGenerator('cheapest');
  const { connections, seconds, warmupSeconds, rounds } = args;
  const { dir, postgresPid } = environment;
  const settings = { generator, dir, postgresPid, connections, seconds, warmupSeconds };
  const findings: CurveFindings[] = [];
  for (const name of args.curves) {
    console.log(`\n— ${name} —`);
    // Its ledgers are done with: the next curve has the machine for itself.
    findings.push(await environment.alone((own) => curves[name]({ ...args, settings, environment: own })));
  }
  const report: BenchReport = {
    name: args.name,
    command: ['npm run bench:growth --', ...process.argv.slice(2)].join(' ').replace(/ --$/, ''),
    startedAt: environment.startedAt,
    machine: machineFacts(await describePostgres(environment.postgres)),
    settings: { rounds, seconds, connections },
    series: [],
    curves: args.curves.map((name, index) => ({ name, series: findings[index]?.series ?? [] })),
    figures: findings.flatMap(({ figures = [] }) => figures),
    tables: findings.map(({ table }) => table),
    notes: [
      `Generator over HTTP: ${generator.name}, requests made and signed beforehand.`,
      ...findings.flatMap(({ notes = [] }) => notes),
    ],
  };
  printReport(report);
  console.log(`Written to ${writeReport(resultsDir, report)}`);
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      curves: { type: 'string', default: curveNames.join(',') },
      'rows-max': { type: 'string', default: '1000000' },
      'wallets-max': { type: 'string', default: '1000000' },
      'actors-max': { type: 'string', default: '200000' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '2' },
      connections: { type: 'string', default: '256' },
      wallets: { type: 'string', default: '10000' },
      name: { type: 'string', default: 'growth' },
    },
  });
  const walletsMax = wholeNumber('--wallets-max', values['wallets-max'], 10_000_000);
  if (walletsMax < 1_000) throw new LoadError('--wallets-max is 1,000 at least.');
  return {
    curves: listOf('--curves', values.curves, curveNames),
    rowsMax: wholeNumber('--rows-max', values['rows-max'], 100_000_000),
    walletsMax,
    actorsMax: wholeNumber('--actors-max', values['actors-max'], 200_000),
    rounds: wholeNumber('--rounds', values.rounds, 1_000),
    seconds: wholeNumber('--seconds', values.seconds, 15),
    warmupSeconds: wholeNumber('--warmup', values.warmup, 15),
    connections: wholeNumber('--connections', values.connections, 10_000),
    walletCount: wholeNumber('--wallets', values.wallets, 1_000_000),
    name: resultName(values.name),
  };
}
