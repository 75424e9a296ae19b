/**
 * Sends a file of requests over many connections, closed loop, from a process of its own, and says what came back.
 * wrk where there is one, else our own: 11–16 µs of processor time a request against 18–20 for ours.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { RequestFile } from './requests.ts';

const outcome = z.object({
  answers: z.int(),
  /** Answers that were no success; our own client: that were not 201. */
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

export interface GeneratorOutcome extends z.infer<typeof outcome> {
  readonly cpuS: number;
}

export interface Target {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

export interface Generator {
  readonly name: string;
  run(requests: RequestFile, target: Target): Promise<GeneratorOutcome>;
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

/** The last line that the program prints is the outcome; the shell's `times` tells its processor time exactly. */
async function measure(program: string, args: readonly string[]): Promise<GeneratorOutcome> {
  const shell = spawn('sh', ['-c', '"$@"; code=$?; times; exit $code', 'sh', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    shell.once('error', reject);
    shell.once('close', resolve);
  });
  const json = output.split('\n').findLast((line) => line.startsWith('{'));
  if (code !== 0 || json === undefined) throw new Error(`${program} ended with code ${code}: ${output}`);
  return { ...outcome.parse(JSON.parse(json)), cpuS: cpuSeconds(output) };
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
