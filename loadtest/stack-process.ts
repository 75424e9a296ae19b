/**
 * Starts a stack of its own, as `npm start` would, and stops it again: for fault checks, and for `npm run load
 * -- --start-stack`. Only the process that was started here is ever signalled.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@local-plus/deploy';
import { limits } from './limits.ts';
import { LoadError, readStack, type Stack } from './stack.ts';

export const repositoryDir = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

export interface StackProcess {
  readonly stackFile: string;
  /** As stack.json says now: pids change when a part is restarted. */
  read(): Stack;
  /** Ctrl-C, and its end awaited. */
  stop(): Promise<void>;
}

/**
 * Starts it and waits until it describes itself. Its output goes to `<dataDir>/stack.log`.
 *
 * @param flags of `npm start`, besides `--data`
 */
export async function startStack(
  dataDir: string,
  flags: readonly string[],
  log: (line: string) => void,
): Promise<StackProcess> {
  mkdirSync(dataDir, { recursive: true });
  const logFile = join(dataDir, 'stack.log');
  const output = openSync(logFile, 'a');
  const child = spawn(
    process.execPath,
    ['deploy/bootstrap.mjs', 'deploy/local/start.ts', '--data', dataDir, ...flags],
    { cwd: repositoryDir, stdio: ['ignore', output, output] },
  );
  closeSync(output);
  const stackFile = join(dataDir, 'stack.json');
  log(`Starting a stack in ${dataDir} …`);
  const stop = (): Promise<void> => stopChild(child);
  try {
    await untilDescribed(child, stackFile, logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stackFile, read: () => readStack(stackFile), stop };
}

/** Every port of a stack, so that it meets none of another's. */
export async function flagsOfFreePorts(): Promise<string[]> {
  const names = ['--edge-port', '--core-port', '--postgres-port', '--valkey-port', '--kafka-port'];
  // The one after the last is for Kafka's controller.
  const ports = await freePorts(names.length + 1);
  return names.flatMap((name, index) => [name, String(ports[index])]);
}

async function untilDescribed(child: ChildProcess, stackFile: string, logFile: string): Promise<void> {
  const deadlineMs = performance.now() + limits.stackReadyMs;
  while (!isDescribed(stackFile)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new LoadError(`The stack ended while it was starting; ${logFile} says why.`);
    }
    if (performance.now() > deadlineMs) throw new LoadError(`The stack did not start in time; ${logFile} says more.`);
    await delay(limits.stackPollMs);
  }
}

/** The file may be there before the demo merchant is. */
function isDescribed(stackFile: string): boolean {
  if (!existsSync(stackFile)) return false;
  try {
    readStack(stackFile);
    return true;
  } catch (error) {
    if (error instanceof LoadError) return false;
    throw error;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), limits.stackStopMs);
  try {
    await exited;
  } finally {
    clearTimeout(timer);
  }
}
