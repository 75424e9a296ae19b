/** A program of the bench as a child process: its output in a file, its end awaited. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const READY_MS = 20_000;
const READY_POLL_MS = 50;
const STOP_MS = 15_000;

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly logFile: string;
  /** SIGTERM, then SIGKILL; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface ChildSpec {
  /** Of the log file, and of the folder. */
  readonly name: string;
  /** The program, beside the calling module. */
  readonly program: URL;
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
}

/** One of our own programs, with a channel for messages. */
export function startChild({ name, program, dir, env, nodeFlags = [] }: ChildSpec): Child {
  return start(name, dir, (output) =>
    spawn(process.execPath, [...nodeFlags, fileURLToPath(program)], {
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, ...env },
    }),
  );
}

/** Any other program. */
export function startProgram(name: string, dir: string, command: string, args: readonly string[]): Child {
  return start(name, dir, (output) => spawn(command, args, { stdio: ['ignore', output, output] }));
}

function start(name: string, dir: string, spawnInto: (output: number) => ChildProcess): Child {
  mkdirSync(dir, { recursive: true });
  const logFile = join(dir, `${name}.log`);
  const output = openSync(logFile, 'a');
  const child = spawnInto(output);
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} cannot be started`);
  const exited = once(child, 'exit');
  return {
    process: child,
    pid,
    logFile,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(limit);
    },
  };
}

/** Resolves when `GET path` is answered with 200. Ends the child when it is not in time. */
export async function untilReady(child: Child, port: number, path = '/readyz'): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const cause = await tryGet(`http://127.0.0.1:${port}${path}`);
    if (cause === null) return;
    if (child.process.exitCode !== null || performance.now() > deadlineMs) {
      await child.stop();
      throw new Error(`a side did not start, see ${child.logFile}`, { cause });
    }
    await delay(READY_POLL_MS);
  }
}

/** Why it is not ready; null: it is. */
async function tryGet(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(READY_MS) });
    await response.arrayBuffer();
    return response.ok ? null : response.status;
  } catch (error) {
    return error;
  }
}

/** Sends a message and waits for the one that answers it. Rejects when the child ends instead, or says `failed`. */
export async function ask<Answer>(child: Child, message: object, limitMs: number): Promise<Answer> {
  const { process: asked } = child;
  return await new Promise<Answer>((resolve, reject) => {
    const limit = setTimeout(() => finish(() => reject(new Error('no answer in time'))), limitMs);
    const onMessage = (answer: unknown): void => {
      const failed = (answer as { failed?: string }).failed;
      finish(() => (failed === undefined ? resolve(answer as Answer) : reject(new Error(failed))));
    };
    const onExit = (): void => finish(() => reject(new Error(`a program of the bench ended, see ${child.logFile}`)));
    const finish = (settle: () => void): void => {
      clearTimeout(limit);
      asked.off('message', onMessage);
      asked.off('exit', onExit);
      settle();
    };
    asked.on('message', onMessage);
    asked.on('exit', onExit);
    asked.send(message);
  });
}
