/**
 * The frame of a fault check: a stack of its own in a folder of its own, clients that go on through three phases
 * (before, during, after), then the reconciler. What a fault may do to clients is each check's own business.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { onStopSignal } from '@local-plus/deploy';
import { limits } from '../limits.ts';
import { printReconciliation, reconcile } from '../reconcile/index.ts';
import { LoadError, printFailure, type Stack, type StackPart } from '../stack.ts';
import { flagsOfFreePorts, type StackProcess, startStack } from '../stack-process.ts';
import { formatTable } from '../table.ts';
import { type Attempt, startClient } from './client.ts';
import { Phase, phasesTable } from './phases.ts';

export interface Phases {
  readonly before: Phase;
  readonly during: Phase;
  readonly after: Phase;
}

export interface Experiment {
  /** Begins every idempotency key. */
  readonly name: string;
  /** Does the harm; resolves when the fault is over. */
  harm(stack: StackProcess, seconds: number): Promise<void>;
  /** What was not as it has to be, besides unclear answers and the reconciliation, in words. */
  judge(phases: Phases, stack: { readonly before: Stack; readonly after: Stack }): string[];
}

/** Runs the experiment as a command: prints its tables, exits by its verdict. */
export function runExperiment(experiment: Experiment): void {
  main(experiment).then(
    (faults) => {
      for (const fault of faults) console.log(`Not as it has to be: ${fault}`);
      console.log(faults.length === 0 ? `${experiment.name}: as it has to be.` : `${experiment.name}: failed.`);
      process.exitCode = faults.length === 0 ? 0 : 1;
    },
    (error: unknown) => {
      printFailure(error);
      process.exitCode = 1;
    },
  );
}

async function main(experiment: Experiment): Promise<string[]> {
  const { rate, seconds } = readArguments();
  const dir = mkdtempSync(join(tmpdir(), `local-plus-${experiment.name}-`));
  const stack = await startStack(
    join(dir, 'data'),
    [...(await flagsOfFreePorts()), '--wallets', String(limits.faultWallets)],
    console.log,
  );
  onStopSignal(() => void stack.stop().finally(() => process.exit(130)));
  let faults: string[];
  try {
    faults = await observe(experiment, stack, join(dir, 'record.ndjson'), rate, seconds);
  } finally {
    console.log('Stopping the stack …');
    await stack.stop();
  }
  if (faults.length === 0) rmSync(dir, { recursive: true, force: true });
  else console.log(`Logs, data and record are kept in ${dir}`);
  return faults;
}

async function observe(
  experiment: Experiment,
  stack: StackProcess,
  recordFile: string,
  ratePerS: number,
  seconds: number,
): Promise<string[]> {
  const before = stack.read();
  let phase = new Phase('before');
  const onAttempt = (attempt: Attempt): void => phase.add(attempt);
  const next = (name: string): Phase => {
    phase.endedMs = performance.now();
    console.log(`… ${name}`);
    phase = new Phase(name);
    return phase;
  };
  console.log(`… before: ${ratePerS} writes/s for ${seconds} s`);
  const client = startClient({ stack: before, runName: experiment.name, recordFile, ratePerS, onAttempt });
  const phases: Phases = {
    before: await after(seconds, phase),
    during: await harmed(next('during'), () => experiment.harm(stack, seconds)),
    after: await after(seconds, next('after')),
  };
  phases.after.endedMs = performance.now();
  const unanswered = await client.finish();
  console.log(formatTable(phasesTable([phases.before, phases.during, phases.after])));
  const reconciliation = await reconcile(stack.read(), [recordFile], console.log);
  printReconciliation(reconciliation);
  const faults = [phases.before, phases.during, phases.after].flatMap((one) => one.faults());
  if (unanswered > 0) faults.push(`${unanswered} writes never got a final answer`);
  if (!reconciliation.isClean) faults.push('the ledger does not reconcile');
  return [...faults, ...experiment.judge(phases, { before, after: stack.read() })];
}

async function after(seconds: number, phase: Phase): Promise<Phase> {
  await delay(seconds * 1_000);
  return phase;
}

async function harmed(phase: Phase, harm: () => Promise<void>): Promise<Phase> {
  await harm();
  return phase;
}

/** Kills a part, and again whenever the stack has started it anew, until the time is over; then waits until it is back. */
export async function keepAway(stack: StackProcess, part: StackPart, seconds: number): Promise<void> {
  const untilMs = performance.now() + seconds * 1_000;
  const killed = new Set<number>();
  while (performance.now() < untilMs) {
    const pid = stack.read().pids[part];
    if (pid !== null && !killed.has(pid)) {
      killed.add(pid);
      console.log(`… killing ${part} (process ${pid})`);
      process.kill(pid, 'SIGKILL');
    }
    await delay(limits.faultPollMs);
  }
  await untilBack(stack, part, killed);
}

/** Kills a part once and waits until the stack has started it anew. */
export async function killOnce(stack: StackProcess, part: StackPart): Promise<void> {
  const pid = stack.read().pids[part];
  if (pid === null) throw new LoadError(`The stack has no ${part} of its own to kill.`);
  console.log(`… killing ${part} (process ${pid})`);
  process.kill(pid, 'SIGKILL');
  await untilBack(stack, part, new Set([pid]));
}

async function untilBack(stack: StackProcess, part: StackPart, gone: ReadonlySet<number>): Promise<void> {
  const startedMs = performance.now();
  for (;;) {
    const pid = stack.read().pids[part];
    if (pid !== null && !gone.has(pid)) {
      console.log(`… ${part} is back after ${Math.round(performance.now() - startedMs)} ms (process ${pid})`);
      return;
    }
    if (performance.now() - startedMs > limits.faultHealMs) throw new LoadError(`${part} did not come back.`);
    await delay(limits.faultPollMs);
  }
}

function readArguments(): { rate: number; seconds: number } {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: String(limits.faultRatePerS) },
      seconds: { type: 'string', default: String(limits.faultPhaseS) },
    },
  });
  const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
  if (Number.isInteger(rate) && rate > 0 && Number.isInteger(seconds) && seconds > 0) return { rate, seconds };
  throw new LoadError('--rate and --seconds are positive whole numbers.');
}
