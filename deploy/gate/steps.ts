/**
 * What the gate runs, as tables. A new tsconfig, test folder or portable suite is a line here.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { limits } from './limits.ts';
import { countsFileOf, type Step } from './run-step.ts';

/** Each is checked on its own, because each runs somewhere else: Node, workerd, k6. A missing one is a failure. */
export const tsconfigs: Readonly<Record<string, string>> = {
  types: 'tsconfig.json',
  'types-edge': 'edge/tsconfig.json',
  'types-edge-test': 'edge/test/tsconfig.json',
  'types-k6': 'loadtest/k6/tsconfig.json',
};

/** `node --run` takes the command from package.json, so that a developer and the gate run the same one. */
export function staticSteps(node: string): Step[] {
  const check = (name: string, ...command: string[]): Step => ({
    name,
    command,
    timeoutMs: limits.staticStepMs,
    counts: 'one',
  });
  return [
    check('format-and-lint', node, '--run', 'lint', '--', '--colors=off'),
    ...Object.entries(tsconfigs).map(([name, file]) => check(name, 'tsc', '-p', file)),
    check('imports', node, '--run', 'imports'),
    check('generated-files', node, 'contracts/openapi.ts', '--check'),
    check('generated-tables', node, 'core/giftcard/cards/document.ts', '--check'),
    check('tracked-text', node, 'deploy/gate/tracked-text.ts'),
  ];
}

/** Requests made from the OpenAPI document, against a stack of its own. It needs Python, which `test.ts` looks for. */
export function fuzzStep(node: string): Step {
  const command = [node, 'loadtest/fuzz/run.ts', '--short'];
  return { name: 'fuzz', command, timeoutMs: limits.fuzzStepMs, counts: 'one' };
}

/** Real processes that are killed, stopped and cut off under load; then every answer is held against the ledger and Kafka. */
export function chaosStep(node: string): Step {
  const command = [node, 'loadtest/chaos/run.ts', '--short'];
  return { name: 'chaos', command, timeoutMs: limits.chaosStepMs, counts: 'one' };
}

/** Whether the tests met every refusal that the error table has; after them. */
export function problemCodesStep(node: string, dir: string): Step {
  const command = [node, 'deploy/gate/problem-codes/check.ts', dir];
  return { name: 'problem-codes', command, timeoutMs: limits.staticStepMs, counts: 'one' };
}

export interface Suite {
  readonly name: string;
  readonly runner: 'node' | 'deno';
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly fileConcurrency: number;
  readonly testMs: number;
  readonly stepMs: number;
}

const folders = ['contracts', 'actors', 'core', 'edge', 'loadtest', 'deploy'];
const chartTests = ['deploy/helm/**/*.test.ts'];
const endToEndTests = folders.map((folder) => `${folder}/**/*.e2e.test.ts`);

/** Every `*.test.ts` belongs to exactly one of the suites that Node runs; Deno runs the portable ones again. */
export const suites = {
  /** The chart, by the real helm. */
  chart: {
    name: 'helm-chart',
    runner: 'node',
    include: chartTests,
    exclude: [],
    fileConcurrency: 1,
    testMs: limits.testMs,
    stepMs: limits.chartStepMs,
  },
  /** Unit, conformance and integration tests; they start what they need for themselves. */
  tests: {
    name: 'tests',
    runner: 'node',
    include: folders.map((folder) => `${folder}/**/*.test.ts`),
    exclude: [...chartTests, ...endToEndTests],
    fileConcurrency: limits.testFileConcurrency,
    testMs: limits.testMs,
    stepMs: limits.unitStepMs,
  },
  /** What claims to run anywhere, on another runtime. */
  portable: {
    name: 'tests-deno',
    runner: 'deno',
    include: ['contracts/**/*.test.ts', 'actors/**/*.test.ts', 'edge/**/*.test.ts'],
    // These start workerd, which they do through Node, or are about Node itself.
    exclude: ['**/*workerd*.test.ts', '**/*miniflare*.test.ts', 'edge/test/**', 'edge/node/**', ...endToEndTests],
    fileConcurrency: 1,
    testMs: limits.testMs,
    stepMs: limits.denoStepMs,
  },
  /** The whole stack as a user starts it: alone on the machine. */
  endToEnd: {
    name: 'tests-e2e',
    runner: 'node',
    include: endToEndTests,
    exclude: [],
    fileConcurrency: 1,
    testMs: limits.endToEndTestMs,
    stepMs: limits.endToEndStepMs,
  },
} as const satisfies Record<string, Suite>;

/** The files of a suite, sorted, relative to the repository. */
export function filesOf(suite: Suite, repositoryDir: string): string[] {
  const excluded = new Set(globSync([...suite.exclude], { cwd: repositoryDir }));
  const found = globSync([...suite.include], { cwd: repositoryDir }).filter((path) => !excluded.has(path));
  return [...new Set(found)].filter((path) => !/(^|\/)(node_modules|\.local)\//.test(path)).sort();
}

export function suiteStep(suite: Suite, files: readonly string[], node: string, logDir: string): Step {
  const countsFile = countsFileOf(logDir, suite.name);
  const command =
    suite.runner === 'node'
      ? [node, '--test', ...nodeFlags(suite, countsFile), ...files]
      : ['deno', 'test', ...denoFlags(countsFile), ...files];
  return { name: suite.name, command, timeoutMs: suite.stepMs, counts: suite.runner };
}

function nodeFlags(suite: Suite, countsFile: string): string[] {
  const reporter = pathToFileURL(join(import.meta.dirname, 'count-reporter.ts')).href;
  const recorder = pathToFileURL(join(import.meta.dirname, 'problem-codes', 'record.ts')).href;
  return [
    `--import=${recorder}`,
    `--test-concurrency=${suite.fileConcurrency}`,
    `--test-timeout=${suite.testMs}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${countsFile}`,
  ];
}

/** No network and no lockfile of its own: Deno takes the modules that npm installed. Types are tsc's business. */
function denoFlags(countsFile: string): string[] {
  return ['--node-modules-dir=manual', '--cached-only', '--no-lock', '-A', '--no-check', `--junit-path=${countsFile}`];
}
