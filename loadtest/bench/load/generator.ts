/**
 * Sends a file of requests over many connections, closed loop, from a process of its own, and says what came back.
 * wrk where there is one, else our own: 11–16 µs of processor time a request against 18–20 for ours.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Outcome } from '../side.ts';
import type { RequestFile } from './requests.ts';

const outcome = z.object({
  answers: z.int(),
  /** Answers that were no success. */
  notOk: z.int(),
  /** Connections that failed, and answers that did not come. */
  broken: z.int(),
  /** Requests that were sent; more than the answers by what was under way at the end. */
  handed: z.int(),
  elapsedMs: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});

export interface Target {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

export interface Generator {
  readonly name: string;
  run(requests: RequestFile, target: Target): Promise<Outcome>;
}

const fileBeside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const wrk: Generator = {
  name: 'wrk',
  run: (requests, { port, connections, seconds }) =>
    measure('wrk', [
      ...['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', fileBeside('wrk-replay.lua')],
      `http://127.0.0.1:${port}`,
      ...['--', requests.path, String(requests.requestBytes)],
    ]),
};

const own: Generator = {
  name: 'socket-client.ts',
  run: (requests, { port, connections, seconds }) =>
    measure(process.execPath, [
      ...[fileBeside('socket-client.ts'), '--file', requests.path, '--bytes', String(requests.requestBytes)],
      ...['--port', String(port), '--connections', String(connections), '--seconds', String(seconds)],
    ]),
};

/** @param wanted `wrk`, `own`, or what is cheaper of what is there */
export async function chooseGenerator(wanted: 'wrk' | 'own' | 'cheapest'): Promise<Generator> {
  if (wanted === 'own') return own;
  if (await hasWrk()) return wrk;
  if (wanted === 'wrk') throw new Error('wrk is not on PATH (on Debian: apt-get install wrk)');
  return own;
}

async function hasWrk(): Promise<boolean> {
  const child = spawn('wrk', ['-v'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(true));
  });
}

/** Runs one of our own clients; what it prints last is its outcome. */
export async function outcomeLine(program: URL, args: readonly string[]): Promise<unknown> {
  const { json } = await runToEnd(process.execPath, [fileURLToPath(program), ...args]);
  return json;
}

/** The shell's `times` tells the program's processor time exactly. */
async function measure(program: string, args: readonly string[]): Promise<Outcome> {
  const { json, output } = await runToEnd('sh', ['-c', '"$@"; code=$?; times; exit $code', 'sh', program, ...args]);
  return { ...outcome.parse(json), cpuS: cpuSeconds(output) };
}

/** @returns its output, and the last line of it that is JSON */
async function runToEnd(command: string, args: readonly string[]): Promise<{ json: unknown; output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const line = output.split('\n').findLast((text) => text.startsWith('{'));
  if (code !== 0 || line === undefined) throw new Error(`${args.join(' ')} ended with code ${code}: ${output}`);
  return { json: JSON.parse(line), output };
}

/** `times` prints two lines, the shell's and its children's: `0m1.230000s 0m0.450000s`. */
function cpuSeconds(output: string): number {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  const times = [...line.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  if (times.length !== 2) throw new Error(`the shell's times were expected, not "${line}"`);
  return (times[0] ?? 0) + (times[1] ?? 0);
}
