/**
 * `npm run bench:edge [-- --parts cost,memory,size,delays] [--rounds 5] [--seconds 5] [--requests 1000000] [--samples 50]
 * [--connections 16] [--name edge]`
 *
 * What the edge costs on workerd: processor time per request beside a bare proxy before the same trivial origin, memory
 * over a million requests, size and start-up, and how soon revocations and changes take effect (with core and Postgres
 * behind it). Prints tables with the goals beside the figures, and writes `loadtest/results/<name>.json` and `.md`. Linux
 * only, and to be read from a quiet machine.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runWithParts, type Stoppable } from '../program.ts';
import { runDirectory, startSmallStack } from '../small-stack.ts';
import { LoadError } from '../stack.ts';
import { repositoryDir } from '../stack-process.ts';
import { type CostSettings, measureCost } from './cost.ts';
import { type Delays, measureDelays } from './delays.ts';
import { chooseGenerator } from './generator.ts';
import { startIssuer } from './issuer.ts';
import { measureMemory } from './memory.ts';
import { startWorkers } from './parts.ts';
import { type EdgeReport, machineFacts, printReport, writeReport } from './report.ts';
import { dryRun, environments, timeStarts } from './start-up.ts';

const parts = ['cost', 'memory', 'size', 'delays'] as const;
type Part = (typeof parts)[number];

interface Arguments {
  readonly parts: ReadonlySet<Part>;
  readonly rounds: number;
  readonly seconds: number;
  readonly requests: number;
  readonly samples: number;
  readonly connections: number;
  readonly name: string;
}

const WARMUP_SECONDS = 2;
const STARTS = 10;

/** @returns its folder */
async function main(started: Stoppable[]): Promise<string> {
  const args = readArguments();
  const startedAt = new Date().toISOString();
  const dir = runDirectory('bench-edge');
  const generator = await chooseGenerator();
  const { rounds, seconds, connections } = args;
  const settings = { generator, dir, connections, rounds, seconds, warmupSeconds: WARMUP_SECONDS, log: console.log };
  const report: EdgeReport = {
    startedAt,
    machine: machineFacts(workerdVersion()),
    settings: { generator: `${generator.name}, closed loop`, connections, rounds, seconds },
    ...(await measureWorkers(args, settings, started)),
    ...(args.parts.has('delays') ? { delays: await measureStack(args, started) } : {}),
  };
  printReport(report);
  console.log(`\nWritten to ${writeReport(join(repositoryDir, 'loadtest', 'results'), args.name, report)}`);
  return dir;
}

type Measured = Pick<EdgeReport, 'cost' | 'memory' | 'uploads' | 'starts'>;

async function measureWorkers(args: Arguments, settings: CostSettings, started: Stoppable[]): Promise<Measured> {
  if (!args.parts.has('cost') && !args.parts.has('memory') && !args.parts.has('size')) return {};
  const workers = await startWorkers(settings.dir);
  started.push(workers);
  const cost = args.parts.has('cost') ? { cost: await measureCost(workers, settings) } : {};
  await workers.bare.stop();
  if (args.parts.has('memory')) await workers.edge.restart();
  const memory = args.parts.has('memory') ? { memory: await measureMemory(workers.edge, args.requests, settings) } : {};
  await workers.edge.stop();
  if (!args.parts.has('size')) return { ...cost, ...memory };
  const uploads = [];
  for (const environment of environments) uploads.push(await dryRun(environment, settings.dir));
  const { edge, bare } = workers.options;
  const starts = { edge: await timeStarts(edge, STARTS), bare: await timeStarts(bare, STARTS) };
  return { ...cost, ...memory, uploads, starts };
}

async function measureStack({ samples }: Arguments, started: Stoppable[]): Promise<Delays[]> {
  const issuer = await startIssuer();
  started.push(issuer);
  const stack = await startSmallStack({ name: 'bench-edge-stack', bindings: issuer.bindings, log: console.log });
  started.push(stack);
  const delays = await measureDelays(stack, issuer, { samples, log: console.log });
  await stack.stop();
  stack.remove();
  return delays;
}

function workerdVersion(): string {
  return execFileSync(join(repositoryDir, 'node_modules', '.bin', 'workerd'), ['--version'], {
    encoding: 'utf8',
  }).trim();
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      parts: { type: 'string', default: parts.join(',') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      requests: { type: 'string', default: '1000000' },
      samples: { type: 'string', default: '50' },
      connections: { type: 'string', default: '16' },
      name: { type: 'string', default: 'edge' },
    },
  });
  const wanted = values.parts.split(',').map((text) => parts.find((part) => part === text));
  if (wanted.includes(undefined)) throw new LoadError(`--parts are any of ${parts.join(', ')}, with commas.`);
  if (!/^[a-z0-9-]{1,40}$/.test(values.name)) throw new LoadError('--name is 1 to 40 of a-z, 0-9 and -.');
  return {
    parts: new Set(wanted as Part[]),
    rounds: whole('--rounds', values.rounds),
    seconds: whole('--seconds', values.seconds),
    requests: whole('--requests', values.requests),
    samples: whole('--samples', values.samples),
    connections: whole('--connections', values.connections),
    name: values.name,
  };
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 100_000_000) return value;
  throw new LoadError(`${flag} must be a positive whole number, not "${text}".`);
}

runWithParts(main, (dir) => rmSync(dir, { recursive: true, force: true }));
