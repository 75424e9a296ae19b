/** Sends a file of requests round and round over many connections, closed loop, from a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';

const outcome = z.object({
  answers: z.int(),
  /** Answers of 400 and above. */
  notOk: z.int(),
  /** Connections that failed, and answers that did not come. */
  broken: z.int(),
  elapsedMs: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});
export type Outcome = z.infer<typeof outcome>;

export interface Load {
  readonly file: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

export interface Generator {
  readonly name: string;
  run(load: Load): Promise<Outcome>;
}

const fileBeside = (name: string): string => join(import.meta.dirname, name);

/** wrk where there is one: it costs the least beside what is measured. */
export async function chooseGenerator(): Promise<Generator> {
  return (await hasWrk())
    ? { name: 'wrk', run: (load) => read('wrk', wrkArguments(load)) }
    : { name: 'cycle-client.ts', run: (load) => read(process.execPath, clientArguments(load)) };
}

function wrkArguments({ file, port, connections, seconds }: Load): string[] {
  const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', fileBeside('wrk-cycle.lua')];
  return [...flags, `http://127.0.0.1:${port}`, '--', file];
}

function clientArguments({ file, port, connections, seconds }: Load): string[] {
  return [fileBeside('cycle-client.ts'), file, String(port), String(connections), String(seconds)];
}

async function hasWrk(): Promise<boolean> {
  const child = spawn('wrk', ['-v'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(true));
  });
}

/** The last line of JSON that the program prints is the outcome. */
async function read(program: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const json = output.split('\n').findLast((line) => line.startsWith('{'));
  if (code !== 0 || json === undefined) throw new Error(`${program} ended with code ${code}: ${output}`);
  return outcome.parse(JSON.parse(json));
}
