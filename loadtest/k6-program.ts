/**
 * k6 as a child process: found or built once, then run with one scenario. It writes three files into the run's folder:
 * `record.ndjson` (what the reconciler reads), `summary.json`, `report.html`.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureGoTool } from '../deploy/tools/go-tool.ts';
import { limits } from './limits.ts';
import { LoadError } from './stack.ts';
import { repositoryDir } from './stack-process.ts';

const k6Tool = {
  name: 'k6',
  module: 'go.k6.io/k6/v2',
  version: 'v2.2.0',
  package: 'go.k6.io/k6/v2',
} as const;

export const scenarios = ['smoke', 'load', 'stress', 'soak'] as const;
export type ScenarioName = (typeof scenarios)[number];

export interface K6Run {
  readonly scenario: ScenarioName;
  /** The folder of this run; exists. */
  readonly dir: string;
  /** Begins every idempotency key. */
  readonly runName: string;
  readonly stackFile: string;
  /** Of all requests a second; the scenario's own when null. */
  readonly rate: number | null;
  readonly durationS: number | null;
}

export interface K6Outcome {
  readonly exitCode: number;
  readonly record: string;
  readonly summary: K6Summary;
}

const summaryShape = z.object({
  metrics: z.record(
    z.string(),
    z.object({
      values: z.record(z.string(), z.number()),
      thresholds: z.record(z.string(), z.object({ ok: z.boolean() })).optional(),
    }),
  ),
});
export type K6Summary = z.infer<typeof summaryShape>;

/** Errors: a {@link LoadError} when there is neither k6 nor a way to build it. */
export async function findK6(log: (line: string) => void): Promise<string> {
  const found = await ensureGoTool(k6Tool, { cacheDir: join(repositoryDir, '.local', 'cache', 'bin'), log });
  if ('missing' in found) throw new LoadError(found.missing);
  return found.path;
}

/** Runs k6 to its end. `started` gets its process id. Ctrl-C reaches k6 as well, which then ends by itself. */
export async function runK6(program: string, run: K6Run, started: (pid: number) => void): Promise<K6Outcome> {
  const record = join(run.dir, 'record.ndjson');
  const summaryFile = join(run.dir, 'summary.json');
  const child = spawn(program, argumentsFor(run, record), {
    cwd: repositoryDir,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environmentFor(run, summaryFile) },
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(new LoadError(`k6 could not be started (${cause.message}).`, { cause })));
    child.once('spawn', () => started(child.pid as number));
    child.once('exit', (code) => resolve(code ?? 1));
    stopWhenOverdue(child, run);
  });
  return { exitCode, record, summary: readSummary(summaryFile, exitCode) };
}

function argumentsFor(run: K6Run, record: string): string[] {
  const output = ['--log-format', 'raw', '--console-output', record, '--no-color', '--no-usage-report'];
  return ['run', ...output, '--address', '', join('loadtest', 'k6', `${run.scenario}.ts`)];
}

function environmentFor(run: K6Run, summaryFile: string): Record<string, string> {
  return {
    LP_STACK: run.stackFile,
    LP_RUN: run.runName,
    LP_SUMMARY: summaryFile,
    ...(run.rate === null ? {} : { LP_RATE: String(run.rate) }),
    ...(run.durationS === null ? {} : { LP_DURATION_S: String(run.durationS) }),
    K6_WEB_DASHBOARD: 'true',
    K6_WEB_DASHBOARD_PORT: '-1',
    K6_WEB_DASHBOARD_PERIOD: '1s',
    K6_WEB_DASHBOARD_EXPORT: join(run.dir, 'report.html'),
    // The generator shares the machine with the system: one core is plenty, and collecting garbage seldom is cheaper.
    // Measured at 1,500 requests/s: 0.19 ms of processor time a request instead of 0.30.
    GOMAXPROCS: '1',
    GOGC: '400',
  };
}

/** A run that does not end by itself is ended: k6 first writes its summary, then it is killed. */
function stopWhenOverdue(child: ReturnType<typeof spawn>, run: K6Run): void {
  const scenarioMs = (run.durationS ?? limits.k6DefaultDurationSMax) * 1_000;
  const polite = setTimeout(() => child.kill('SIGINT'), scenarioMs + limits.k6ExtraMs);
  const insist = setTimeout(() => child.kill('SIGKILL'), scenarioMs + limits.k6ExtraMs + limits.childStopMs);
  child.once('exit', () => {
    clearTimeout(polite);
    clearTimeout(insist);
  });
}

function readSummary(path: string, exitCode: number): K6Summary {
  try {
    return summaryShape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new LoadError(`k6 ended with code ${exitCode} and left no summary; what it printed above says why.`, {
      cause,
    });
  }
}
