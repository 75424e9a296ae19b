/**
 * `npm run load [-- smoke|load|stress|soak] [--rate N] [--duration 60s] [--stack FILE] [--start-stack]`
 *
 * Drives the running stack with k6, measures who uses the processor, then reconciles. Exit code 0: every threshold
 * held and nothing was lost or doubled. What is left behind stands in `.local/load/<time>/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findK6, type K6Run, runK6, type ScenarioName, scenarios } from './k6-program.ts';
import { limits } from './limits.ts';
import { startSampler, type Use } from './processor-time.ts';
import { printReconciliation, reconcile } from './reconcile/index.ts';
import {
  answersTable,
  brokenThresholds,
  latencyTable,
  memoryFault,
  memoryTable,
  processorTable,
  requestCount,
} from './report.ts';
import { LoadError, printFailure, readStack, type Stack, watchPids } from './stack.ts';
import { repositoryDir, type StackProcess, startStack } from './stack-process.ts';
import { nextRate } from './step-search.ts';
import { formatTable } from './table.ts';

/** How the generator is called among the parts. */
const generator = 'k6 (the generator)';

interface Arguments {
  readonly scenario: ScenarioName;
  readonly rate: number | null;
  readonly durationS: number | null;
  readonly stackFile: string;
  readonly startsStack: boolean;
}

interface Step {
  /** What did not hold, in words. */
  readonly faults: readonly string[];
  readonly record: string;
}

async function main(): Promise<boolean> {
  const args = readArguments();
  const own = args.startsStack ? await startStack(join(repositoryDir, '.local'), [], console.log) : null;
  try {
    return await drive(own === null ? args : { ...args, stackFile: own.stackFile });
  } finally {
    await stopOwn(own);
  }
}

async function stopOwn(own: StackProcess | null): Promise<void> {
  if (own === null) return;
  console.log('Stopping the stack …');
  await own.stop();
}

async function drive(args: Arguments): Promise<boolean> {
  const stack = readStack(args.stackFile);
  await requireEdge(stack);
  const k6 = await findK6(console.log);
  const name = new Date().toISOString().replace(/[-:]|\.\d+Z$/g, '');
  const dir = join(repositoryDir, '.local', 'load', name);
  const records =
    args.scenario === 'stress' ? await searchHighestRate(k6, args, dir, name) : await runOnce(k6, args, dir, name);
  const reconciliation = await reconcile(readStack(args.stackFile), records.records, console.log);
  printReconciliation(reconciliation);
  console.log(`\nReport, summary and record: ${dir}`);
  for (const fault of records.faults) console.log(`Not as promised: ${fault}`);
  return records.faults.length === 0 && reconciliation.isClean;
}

interface Records {
  readonly records: readonly string[];
  readonly faults: readonly string[];
}

async function runOnce(k6: string, args: Arguments, dir: string, name: string): Promise<Records> {
  const step = await runStep(k6, args, args.rate, dir, name);
  return { records: [step.record], faults: step.faults };
}

/** Climbs until a threshold breaks, then halves the distance between what held and what did not. */
async function searchHighestRate(k6: string, args: Arguments, dir: string, name: string): Promise<Records> {
  const records: string[] = [];
  const outcomes: string[][] = [];
  let held = 0;
  let broke = Number.POSITIVE_INFINITY;
  let rate = args.rate ?? limits.stressStartRate;
  for (let step = 1; step <= limits.stressStepsMax; step++) {
    console.log(`\nStep ${step}: ${rate} requests/s`);
    const { faults, record } = await runStep(k6, args, rate, join(dir, `step-${step}-${rate}`), `${name}s${step}`);
    records.push(record);
    outcomes.push([String(rate), faults.length === 0 ? 'held' : (faults[0] ?? '')]);
    if (faults.length === 0) held = rate;
    else broke = rate;
    const next = nextRate(rate, held, broke);
    if (next === null) break;
    rate = next;
  }
  console.log(formatTable({ title: 'Steps', columns: ['requests/s', 'thresholds'], rows: outcomes }));
  console.log(`The highest rate that kept every threshold: ${held} requests/s.`);
  return { records, faults: held > 0 ? [] : ['no rate kept the thresholds'] };
}

async function runStep(k6: string, args: Arguments, rate: number | null, dir: string, runName: string): Promise<Step> {
  mkdirSync(dir, { recursive: true });
  const { scenario, stackFile, durationS } = args;
  const run: K6Run = { scenario, dir, runName, stackFile, rate, durationS };
  let k6Pid: number | null = null;
  const pids = watchPids(stackFile);
  const parts = (): ReadonlyMap<string, number> => (k6Pid === null ? pids() : new Map([...pids(), [generator, k6Pid]]));
  const sampler = startSampler(parts, 'core');
  try {
    const { exitCode, record, summary } = await runK6(k6, run, (pid) => {
      k6Pid = pid;
    });
    const use = sampler.stop();
    for (const table of [answersTable(summary), latencyTable(summary), processorTable(use, requestCount(summary))]) {
      console.log(formatTable(table));
    }
    const memory = memoryTable(use);
    if (memory !== null) console.log(formatTable(memory));
    writeUse(dir, use);
    return { faults: faultsOf(exitCode, brokenThresholds(summary), scenario, use), record };
  } finally {
    sampler.stop();
  }
}

function faultsOf(exitCode: number, broken: readonly string[], scenario: ScenarioName, use: Use): string[] {
  const faults = [...broken];
  if (exitCode !== 0 && broken.length === 0) faults.push(`k6 ended with code ${exitCode}`);
  const memory = scenario === 'soak' ? memoryFault(use) : null;
  if (memory !== null) faults.push(`core: ${memory}`);
  return faults;
}

function writeUse(dir: string, use: Use): void {
  const { machineCpuS, elapsedS, memory } = use;
  const content = { elapsed_s: elapsedS, machine_cpu_s: machineCpuS, cpu_s: Object.fromEntries(use.cpuS), memory };
  writeFileSync(join(dir, 'use.json'), `${JSON.stringify(content, null, 2)}\n`);
}

async function requireEdge(stack: Stack): Promise<void> {
  try {
    await fetch(`${stack.edge_url}/healthz`, { signal: AbortSignal.timeout(limits.edgeProbeMs) });
  } catch (cause) {
    throw new LoadError(`Nothing answers at ${stack.edge_url}: is the stack still running (\`npm start\`)?`, { cause });
  }
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rate: { type: 'string' },
      duration: { type: 'string' },
      stack: { type: 'string', default: join(repositoryDir, '.local', 'stack.json') },
      'start-stack': { type: 'boolean', default: false },
    },
  });
  const wanted = positionals[0] ?? 'load';
  const scenario = scenarios.find((name) => name === wanted);
  if (scenario === undefined || positionals.length > 1) {
    throw new LoadError(`There is no scenario "${positionals.join(' ')}": choose one of ${scenarios.join(', ')}.`);
  }
  return {
    scenario,
    rate: values.rate === undefined ? null : positive('--rate', values.rate, /^(\d{1,6})$/),
    durationS: values.duration === undefined ? null : seconds(values.duration),
    stackFile: resolve(values.stack),
    startsStack: values['start-stack'],
  };
}

function seconds(text: string): number {
  const unit = text.endsWith('m') ? 60 : 1;
  return unit * positive('--duration', text, /^(\d{1,5})(?:s|m)?$/);
}

function positive(flag: string, text: string, form: RegExp): number {
  const value = Number(form.exec(text)?.[1]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new LoadError(`${flag} must be a positive number, not "${text}".`);
}

main().then(
  (isGood) => {
    process.exitCode = isGood ? 0 : 1;
  },
  (error: unknown) => {
    printFailure(error);
    process.exitCode = 1;
  },
);
