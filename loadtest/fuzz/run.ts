/**
 * `npm run fuzz [-- --short] [--seed N] [--examples N] [--seconds N] [--route wallets.earn]`
 *
 * Schemathesis against the running edge, with core and Postgres behind it: thousands of requests made from the served
 * OpenAPI document, right and wrong ones, each answer held against the document. No 5xx, no status that is not
 * documented, no body that is not of its schema, nothing wrong accepted and nothing right refused.
 *
 * The seed is printed, and `--seed` repeats it. `--short` is what the gate runs, always with the same seed: its verdict is
 * of the change, not of the draw. What was found stands last. Ends with 0: nothing was found; 1: something was; 2: it could
 * not run.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureSchemathesis } from '@local-plus/deploy';
import { endAsProgram, stopBySignals } from '../program.ts';
import { startSmallStack } from '../small-stack.ts';
import { LoadError } from '../stack.ts';
import { printAnswers } from './answers.ts';
import { configText, tokenVariables } from './config.ts';
import { createTenant, JOBS_TO_CANCEL } from './tenant.ts';

interface Arguments {
  readonly isShort: boolean;
  readonly seed: number;
  /** Cases a route and phase at most. */
  readonly examples: number;
  /** Begins anew until they are over; null: ends when every case has been sent. */
  readonly seconds: number | null;
  /** Of this one only; null: of all. */
  readonly route: string | null;
}

/** The short form has to end within a minute, the stack's start included. */
const EXAMPLES_SHORT = 8;
const EXAMPLES_LONG = 200;
const SEED_SHORT = 4_711;
const SEED_MAX = 2 ** 31;
const WORKERS = 2;
/** Of the end of its report, which is read for what was found. */
const OUTPUT_CHARS_MAX = 200_000;
const EXIT_FOUND = 1;
const EXIT_NOT_RUN = 2;

/** @returns the exit code */
async function main(signal: AbortSignal): Promise<number> {
  const args = readArguments();
  const tool = await ensureSchemathesis(console.log, signal);
  if ('missing' in tool) throw new LoadError(tool.missing);
  const stack = await startSmallStack({ name: 'fuzz', log: console.log });
  let exitCode = EXIT_NOT_RUN;
  let findings = '';
  try {
    const tenant = await createTenant(stack.edgeUrl, stack.adminToken, args.isShort ? 0 : JOBS_TO_CANCEL);
    const configFile = join(stack.dir, 'schemathesis.toml');
    writeFileSync(configFile, configText(tenant));
    const answersFile = join(stack.dir, 'answers.json');
    const environment = {
      [tokenVariables.apiKey]: tenant.apiKey,
      [tokenVariables.operator]: stack.adminToken,
      LOCAL_PLUS_FUZZ_ANSWERS: answersFile,
    };
    console.log(`Seed ${args.seed}: \`npm run fuzz -- ${repeating(args)}\` makes the same requests.`);
    const command = [...tool.command, '--config-file', configFile, 'run', `${stack.edgeUrl}/openapi.json`];
    const ended = await run([...command, ...flagsOf(args)], { ...process.env, ...environment }, stack.dir, signal);
    exitCode = ended.code;
    findings = findingsOf(ended.output);
    const unreached = printAnswers(answersFile);
    if (unreached.length > 0 && !args.isShort && args.route === null) {
      console.log(`No request succeeded on ${unreached.join(', ')}: the run says nothing of what they do.`);
      exitCode = Math.max(exitCode, EXIT_FOUND);
    }
    if (stack.core.pid === null || stack.edge.pid === null)
      throw new Error(`a server died; ${stack.dir}/logs says why`);
  } finally {
    await stack.stop();
    // What found something is kept, with its logs.
    if (exitCode === 0) stack.remove();
  }
  if (exitCode !== 0) {
    console.log(`${findings}Found by \`npm run fuzz -- ${repeating(args)}\`; the logs are in ${stack.dir}/logs.`);
  }
  return exitCode === 0 ? 0 : EXIT_FOUND;
}

function repeating({ isShort, seed }: Arguments): string {
  return `${isShort ? '--short ' : ''}--seed ${seed}`;
}

/** The report's part between its headings FAILURES, or ERRORS, and the next: once more, where the last lines are read. */
function findingsOf(output: string): string {
  return [...output.matchAll(/^=+ (?:FAILURES|ERRORS) =+\n[\s\S]*?(?=^=+ )/gm)].map(([part]) => part).join('');
}

function flagsOf({ seed, examples, seconds, route }: Arguments): string[] {
  return [
    ...(route === null ? [] : ['--include-operation-id', route]),
    ...['--checks', 'all', '--seed', String(seed), '--max-examples', String(examples)],
    ...(seconds === null ? [] : ['--max-time', String(seconds)]),
    ...['--workers', String(WORKERS), '--generation-database', 'none', '--continue-on-failure', '--no-color'],
  ];
}

/** Runs it to its end in `cwd`, where it may leave its caches. */
async function run(
  [program = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'], signal });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    output = (output + text).slice(-OUTPUT_CHARS_MAX);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === null) throw new LoadError('Schemathesis was ended from outside.');
  return { code, output };
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      seed: { type: 'string' },
      examples: { type: 'string' },
      seconds: { type: 'string' },
      route: { type: 'string' },
    },
  });
  return {
    isShort: values.short,
    seed: whole('--seed', values.seed, values.short ? SEED_SHORT : randomInt(SEED_MAX)),
    examples: whole('--examples', values.examples, values.short ? EXAMPLES_SHORT : EXAMPLES_LONG),
    seconds: values.seconds === undefined ? null : whole('--seconds', values.seconds, 0),
    route: values.route ?? null,
  };
}

function whole(flag: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= SEED_MAX) return value;
  throw new LoadError(`${flag} must be a whole number, not "${text}".`);
}

endAsProgram(main(stopBySignals().signal));
