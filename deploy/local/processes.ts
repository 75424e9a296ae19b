/**
 * Child processes of the local stack: spawned with a log file and a pid file, ended by their own pid only.
 *
 * - P1 (identities.ts) a recycled pid is never signalled.
 * - P2 a child's pid file is written before anything can fail after the spawn, and removed when the child is gone;
 *   what a SIGKILLed run leaves behind is therefore found by the next one, and ended there.
 * - P3 a child whose owner still runs is not an orphan: it is left alone, and the start is refused.
 * - P4 an owner that exits takes along who is still there: one that was just starting when a signal came, and that nobody
 *   had in hand yet, is killed. Only an owner that is killed itself leaves anybody behind (P2).
 *
 * Children lead their own process group, so that Ctrl-C reaches only the stack, which then stops them in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { StartError } from './errors.ts';
import { openLog, readFileIfAny, writeFileAtomic } from './files.ts';
import { identify, isAlive, ownIdentity, processIdentity, signalProcess } from './identities.ts';
import { limits } from './limits.ts';
import { waitUntil, within } from './waits.ts';

export interface ProcessSpec {
  /** Names the log (`<logDir>/<name>.log`) and the pid file (`<runDir>/<name>.json`). */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly runDir: string;
  readonly logDir: string;
  readonly cwd?: string;
  /** The whole environment; the parent's when absent. */
  readonly env?: NodeJS.ProcessEnv;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** The polite way to end it, for a later run that finds it orphaned. */
  readonly stopSignal: NodeJS.Signals;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  hasExited(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Asks with `signal`, insists with SIGKILL after `graceMs`, and resolves when the process is gone. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<ProcessExit>;
}

const processRecord = z.object({
  ...processIdentity.shape,
  command: z.array(z.string()),
  stopSignal: z.string(),
  owner: processIdentity,
});
type ProcessRecord = z.infer<typeof processRecord>;

/** P4. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts one child. Throws a {@link StartError} when the program cannot be executed at all. */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  mkdirSync(spec.runDir, { recursive: true });
  const logFile = join(spec.logDir, `${spec.name}.log`);
  const log = openLog(logFile);
  let child: ChildProcess;
  try {
    child = spawn(spec.command, spec.args, {
      stdio: ['ignore', log, log],
      detached: true,
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      ...(spec.env === undefined ? {} : { env: spec.env }),
      ...(spec.user ?? {}),
    });
  } finally {
    closeSync(log);
  }
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    throw new StartError(`${spec.name} could not be started: ${error.message}.`, { cause: error });
  }
  const runFile = join(spec.runDir, `${spec.name}.json`);
  recordProcess(runFile, spec, child.pid);
  return watch(child, child.pid, runFile, logFile);
}

function recordProcess(runFile: string, spec: ProcessSpec, pid: number): void {
  const identity = identify(pid);
  // A child that is gone already needs no record: there is nothing that could be left over.
  if (identity === null) return;
  const command = [spec.command, ...spec.args];
  const record: ProcessRecord = { ...identity, command, stopSignal: spec.stopSignal, owner: ownIdentity() };
  writeFileAtomic(runFile, `${JSON.stringify(record, null, 2)}\n`);
}

function watch(child: ChildProcess, pid: number, runFile: string, logFile: string): RunningProcess {
  let exit: ProcessExit | null = null;
  children.add(child);
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      children.delete(child);
      if (readRecord(runFile)?.pid === pid) rmSync(runFile, { force: true });
      resolve(exit);
    });
  });
  return {
    pid,
    logFile,
    exited,
    hasExited: () => exit !== null,
    signal: (signal) => {
      child.kill(signal);
    },
    stop: async (signal, graceMs) => {
      child.kill(signal);
      const polite = await within(exited, graceMs);
      if (polite !== 'timeout') return polite;
      child.kill('SIGKILL');
      const forced = await within(exited, limits.killedMs);
      if (forced === 'timeout') throw new Error(`process ${pid} did not end within ${limits.killedMs} ms of SIGKILL`);
      return forced;
    },
  };
}

function readRecord(runFile: string): ProcessRecord | null {
  const text = readFileIfAny(runFile);
  if (text === null) return null;
  try {
    return processRecord.parse(JSON.parse(text));
  } catch {
    // Not a record of ours, or of an older version: it identifies no process, so nobody may be signalled by it.
    return null;
  }
}

export type OrphanOutcome = 'none' | 'ended';

/**
 * Ends what an earlier, killed run left under this name. A {@link StartError} when its owner still runs (P3), or when
 * it cannot be ended.
 */
export async function endOrphan(runDir: string, name: string): Promise<OrphanOutcome> {
  const runFile = join(runDir, `${name}.json`);
  const record = readRecord(runFile);
  if (record === null || !isAlive(record)) {
    rmSync(runFile, { force: true });
    return 'none';
  }
  if (isAlive(record.owner)) {
    throw new StartError(`${name} already runs here (process ${record.pid}, started by process ${record.owner.pid}).`);
  }
  const polite = record.stopSignal === 'SIGINT' ? 'SIGINT' : 'SIGTERM';
  for (const [signal, timeoutMs] of [
    [polite, limits.orphanStopMs],
    ['SIGKILL', limits.killedMs],
  ] as const) {
    if (!signalProcess(record, signal)) break;
    if (await waitUntil(() => !isAlive(record), { timeoutMs, everyMs: limits.readyPollMs })) break;
  }
  if (isAlive(record)) throw new StartError(`The old ${name} (process ${record.pid}) could not be ended.`);
  rmSync(runFile, { force: true });
  return 'ended';
}

/** Ends what a killed run has left under any name (P3: nothing of a run that goes on). Returns the names. */
export async function endOrphansIn(runDir: string): Promise<string[]> {
  const ended: string[] = [];
  for (const file of existsSync(runDir) ? readdirSync(runDir) : []) {
    const record = file.endsWith('.json') ? readRecord(join(runDir, file)) : null;
    if (record === null || isAlive(record.owner)) continue;
    const name = basename(file, '.json');
    if ((await endOrphan(runDir, name)) === 'ended') ended.push(name);
  }
  return ended;
}

/** "exit code 1", "SIGKILL": for a sentence. */
export function describeExit(exit: ProcessExit): string {
  return exit.signal ?? `exit code ${exit.code ?? 'unknown'}`;
}
