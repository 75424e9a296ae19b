/**
 * The one gate: what `npm test` runs, here and in CI.
 *
 *     npm test                everything
 *     npm run check           only what needs no server: format, lint, types, imports, generated files, tracked text
 *
 * The static steps run beside each other, then the chart by helm, the tests under Node, the portable ones again under
 * Deno, the fuzzed API, the end-to-end tests, whether all of them met every refusal there is, and at last a short run of
 * chaos. A failed step does not stop the later ones: one run tells everything. Each step's output stands in
 * `.local/gate/<step>.log`.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { repositoryDir } from '../local/places.ts';
import { onStopSignal } from '../local/stop-signals.ts';
import { ensureSchemathesis } from '../tools/schemathesis.ts';
import { stepEnvironment } from './environment.ts';
import { ensureHelm } from './helm.ts';
import { endLine, failureText, summary } from './report.ts';
import {
  brokenStep,
  runStep,
  runSteps,
  type StepResult,
  type StepSurroundings,
  sayStillRunning,
  skippedStep,
} from './run-step.ts';
import { chaosStep, filesOf, fuzzStep, problemCodesStep, type Suite, staticSteps, suiteStep, suites } from './steps.ts';

const print = (line: string): void => console.log(line);
const logDir = join(repositoryDir, '.local', 'gate');
const problemCodesDir = join(logDir, 'problem-codes');
const node = process.execPath;

function ended(result: StepResult): StepResult {
  print(endLine(result));
  if (result.verdict === 'failed') print(failureText(result, logDir, repositoryDir));
  return result;
}

async function runSuite(suite: Suite, surroundings: StepSurroundings): Promise<StepResult> {
  const files = filesOf(suite, repositoryDir);
  if (files.length === 0) return ended(brokenStep(suite.name, `no file matches ${suite.include.join(' ')}`));
  print(`  ${suite.name}: ${files.length} files, see .local/gate/${suite.name}.log`);
  const startedMs = performance.now();
  const elapsed = (): string => `  ${suite.name}: running for ${Math.round((performance.now() - startedMs) / 1_000)} s`;
  const stop = sayStillRunning(elapsed, print);
  try {
    return ended(await runStep(suiteStep(suite, files, node, logDir), surroundings));
  } finally {
    stop();
  }
}

async function runChart(surroundings: StepSurroundings): Promise<StepResult> {
  const helm = await ensureHelm((line) => print(`  ${line}`), surroundings.signal);
  if ('missing' in helm) return ended(skippedStep(suites.chart.name, helm.missing));
  return await runSuite(suites.chart, surroundings);
}

async function runFuzz(surroundings: StepSurroundings): Promise<StepResult> {
  const step = fuzzStep(node);
  const tool = await ensureSchemathesis((line) => print(`  ${line}`), surroundings.signal);
  return ended('missing' in tool ? skippedStep(step.name, tool.missing) : await runStep(step, surroundings));
}

async function runGate(onlyStatic: boolean, surroundings: StepSurroundings): Promise<StepResult[]> {
  const steps = staticSteps(node);
  print(`  ${steps.length} static checks`);
  const results = await runSteps(steps, availableParallelism(), surroundings, ended);
  if (onlyStatic) return results;
  results.push(await runChart(surroundings));
  results.push(await runSuite(suites.tests, surroundings));
  results.push(await runSuite(suites.portable, surroundings));
  results.push(await runFuzz(surroundings));
  results.push(await runSuite(suites.endToEnd, surroundings));
  results.push(ended(await runStep(problemCodesStep(node, problemCodesDir), surroundings)));
  results.push(ended(await runStep(chaosStep(node), surroundings)));
  return results;
}

const unknown = process.argv.slice(2).filter((argument) => argument !== '--static');
const stop = new AbortController();
onStopSignal((signal) => stop.abort(new Error(`stopped by ${signal}`)));
if (unknown.length > 0) {
  console.error(`The gate knows --static and nothing else; it was given ${unknown.join(' ')}.`);
  process.exitCode = 2;
} else {
  try {
    rmSync(problemCodesDir, { recursive: true, force: true });
    mkdirSync(problemCodesDir, { recursive: true });
    const env = { ...stepEnvironment(process.env), PROBLEM_CODES_DIR: problemCodesDir };
    const surroundings = { repositoryDir, logDir, env, signal: stop.signal };
    const results = await runGate(process.argv.includes('--static'), surroundings);
    print(summary(results));
    process.exitCode = results.some((result) => result.verdict === 'failed') ? 1 : 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error(`The gate was ${stop.signal.reason instanceof Error ? stop.signal.reason.message : 'stopped'}.`);
    process.exitCode = 130;
  }
}
