/**
 * Programs that run to completion: initdb, Maven, pip, apt-get, the migration. Bounded in time, their output kept in a
 * log file, ended when the stack is told to stop.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { errnoOf } from './errors.ts';
import { logTail, openLog } from './files.ts';
import { limits } from './limits.ts';
import { within } from './waits.ts';

export interface CommandOptions {
  readonly timeoutMs: number;
  /** Output is appended here. */
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly signal?: AbortSignal | undefined;
}

export type CommandOutcome =
  | { readonly kind: 'done' }
  /** `tail` is the end of its output. */
  | { readonly kind: 'failed'; readonly exit: string; readonly tail: string }
  /** There is no such program on this machine. */
  | { readonly kind: 'missing' };

/** Runs one program to its end. What it says about itself is a value; it throws only when `signal` is aborted. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandOutcome> {
  options.signal?.throwIfAborted();
  const log = openLog(options.logFile);
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.user ?? {}),
  });
  closeSync(log);
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    if (errnoOf(error) === 'ENOENT') return { kind: 'missing' };
    return { kind: 'failed', exit: error.message, tail: '' };
  }
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code === 0 ? 'done' : (signal ?? `exit code ${code ?? 'unknown'}`)));
  });
  const abort = (): boolean => child.kill('SIGTERM');
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const exit = await within(exited, options.timeoutMs);
    options.signal?.throwIfAborted();
    if (exit === 'done') return { kind: 'done' };
    if (exit !== 'timeout') return { kind: 'failed', exit, tail: logTail(options.logFile) };
    child.kill('SIGKILL');
    await within(exited, limits.killedMs);
    return { kind: 'failed', exit: `no end after ${options.timeoutMs / 1_000} s`, tail: logTail(options.logFile) };
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** What a short program prints (both streams), or `null` when it is missing or fails. For questions like a version. */
export async function outputOf(command: string, args: readonly string[]): Promise<string | null> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid === undefined) {
    await once(child, 'error');
    return null;
  }
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      if (output.length < limits.logTailBytes) output += chunk;
    });
  }
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const code = await within(closed, limits.killedMs);
  if (code === 'timeout') child.kill('SIGKILL');
  return code === 0 ? output.trim() : null;
}
