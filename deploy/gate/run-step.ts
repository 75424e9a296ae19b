/**
 * Runs one step of the gate: a child process with a bound, its output in a log, its result as a value.
 *
 * - S1 a step ends: by itself, by its bound, or by the gate's own end; then nothing of it is left running.
 * - S2 a step that failed without naming a failed test counts as one failure.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfAny } from '../local/files.ts';
import { within } from '../local/waits.ts';
import { type Counts, noCounts, readDenoCounts, readNodeCounts } from './counts.ts';
import { limits } from './limits.ts';
import { endTree } from './process-tree.ts';

export interface Step {
  /** Kebab-case: it names the log file too. */
  readonly name: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** Who counts: the step as a whole is one check, or a test runner writes its counts into `countsFile`. */
  readonly counts: 'one' | 'node' | 'deno';
}

export interface StepResult {
  readonly name: string;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly counts: Counts;
  readonly durationMs: number;
  /** What the log cannot say: why it was skipped, or that it hung. */
  readonly note: string;
}

export interface StepSurroundings {
  readonly repositoryDir: string;
  /** `.local/gate`: logs and counts. */
  readonly logDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

export const logFileOf = (logDir: string, name: string): string => join(logDir, `${name}.log`);
export const countsFileOf = (logDir: string, name: string): string => join(logDir, `${name}.counts`);

/** Runs the step to its end (S1). Throws only when the gate itself was told to stop. */
export async function runStep(step: Step, surroundings: StepSurroundings): Promise<StepResult> {
  surroundings.signal.throwIfAborted();
  const { repositoryDir, logDir, env } = surroundings;
  mkdirSync(logDir, { recursive: true });
  rmSync(countsFileOf(logDir, step.name), { force: true });
  const startedMs = performance.now();
  const log = openSync(logFileOf(logDir, step.name), 'w');
  const [command = '', ...args] = step.command;
  // A group of its own: Ctrl-C reaches the gate, and the gate ends the tree in order.
  const child = spawn(command, args, { cwd: repositoryDir, env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    return result(step, `could not be started: ${error.message}`, startedMs, logDir);
  }
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code === 0 ? '' : (signal ?? `exit code ${code ?? 'unknown'}`)));
  });
  const stopped = new Promise<'stopped'>((resolve) => {
    surroundings.signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  const end = await within(Promise.race([exited, stopped]), step.timeoutMs);
  if (end === 'timeout' || end === 'stopped') await endTree(child.pid);
  surroundings.signal.throwIfAborted();
  const trouble = end === 'timeout' ? `ended after its bound of ${step.timeoutMs / 1_000} s` : end;
  return result(step, trouble, startedMs, logDir);
}

/** A step that was not run, with the sentence that says why. */
export function skippedStep(name: string, note: string): StepResult {
  return { name, verdict: 'skipped', counts: { ...noCounts, skipped: 1 }, durationMs: 0, note };
}

/** A step that cannot even begin. */
export function brokenStep(name: string, note: string): StepResult {
  return { name, verdict: 'failed', counts: { ...noCounts, failed: 1 }, durationMs: 0, note };
}

/** @param trouble how the child ended; empty when it ended well */
function result(step: Step, trouble: string, startedMs: number, logDir: string): StepResult {
  const durationMs = performance.now() - startedMs;
  const { counts, note } = judge(step, trouble, logDir);
  return { name: step.name, verdict: counts.failed === 0 ? 'passed' : 'failed', counts, durationMs, note };
}

function judge(step: Step, trouble: string, logDir: string): { counts: Counts; note: string } {
  if (step.counts === 'one') {
    const counts = trouble === '' ? { ...noCounts, passed: 1 } : { ...noCounts, failed: 1 };
    return { counts, note: trouble };
  }
  const text = readFileIfAny(countsFileOf(logDir, step.name)) ?? '';
  const counts = step.counts === 'node' ? readNodeCounts(text) : readDenoCounts(text);
  if (counts === null) return { counts: { ...noCounts, failed: 1 }, note: `${trouble} (no counts reported)`.trim() };
  if (counts.passed + counts.failed === 0) return { counts: { ...counts, failed: 1 }, note: 'executed no test' };
  if (trouble !== '' && counts.failed === 0) return { counts: { ...counts, failed: 1 }, note: trouble };
  return { counts, note: trouble };
}

/** Runs a few steps at a time, in their order; `onEnd` hears of each as it ends. */
export async function runSteps(
  steps: readonly Step[],
  concurrency: number,
  surroundings: StepSurroundings,
  onEnd: (result: StepResult) => void,
): Promise<StepResult[]> {
  const results = new Map<Step, StepResult>();
  const waiting = [...steps];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const ended = await runStep(step, surroundings);
      results.set(step, ended);
      onEnd(ended);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return steps.flatMap((step) => results.get(step) ?? []);
}

/** A line now and then while something runs; returns how to end it. */
export function sayStillRunning(say: () => string, print: (line: string) => void): () => void {
  const timer = setInterval(() => print(say()), limits.progressMs);
  return () => clearInterval(timer);
}
