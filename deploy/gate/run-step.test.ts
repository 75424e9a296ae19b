/**
 * A step always ends and always has a result: it fails, hangs, cannot be started, or the gate is told to stop.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { identify } from '../local/identities.ts';
import { waitUntil } from '../local/waits.ts';
import { stepEnvironment } from './environment.ts';
import { descendants } from './process-tree.ts';
import { failureText, summary } from './report.ts';
import { brokenStep, logFileOf, runStep, runSteps, type Step, skippedStep } from './run-step.ts';

const logDir = mkdtempSync(join(tmpdir(), 'gate-steps-'));
after(() => rmSync(logDir, { recursive: true, force: true }));
const env = stepEnvironment(process.env);
const surroundings = { repositoryDir: logDir, logDir, env, signal: new AbortController().signal };

function script(name: string, source: string, options: Partial<Step> = {}): Step {
  return { name, command: [process.execPath, '-e', source], timeoutMs: 20_000, counts: 'one', ...options };
}

/** Prints its child's pid, and hangs; the child leads a session of its own, as the servers of tests do. */
const hanging = `
  const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
  console.log(child.pid);
  setInterval(() => {}, 1000);`;
const childPid = (name: string): number => Number(readFileSync(logFileOf(logDir, name), 'utf8'));

test('a step that ends well counts as one, and its output is in its log', async () => {
  const result = await runStep(script('fine', 'console.log("hello")'), surroundings);
  assert.equal(result.verdict, 'passed');
  assert.deepEqual(result.counts, { passed: 1, failed: 0, skipped: 0 });
  assert.equal(readFileSync(logFileOf(logDir, 'fine'), 'utf8'), 'hello\n');
});

test('a step that ends badly says how', async () => {
  const failed = await runStep(script('bad', 'process.exit(3)'), surroundings);
  assert.equal(failed.note, 'exit code 3');
  const killed = await runStep(script('killed', 'process.kill(process.pid, "SIGKILL")'), surroundings);
  assert.equal(killed.note, 'SIGKILL');
  const absent = await runStep({ ...script('absent', ''), command: ['no-such-program-anywhere'] }, surroundings);
  assert.match(absent.note, /could not be started/);
  for (const result of [failed, killed, absent]) {
    assert.equal(result.verdict, 'failed');
    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
  }
});

test('S1: a step that hangs is ended after its bound, with what it started', async () => {
  const result = await runStep(script('hanging', hanging, { timeoutMs: 1_500 }), surroundings);
  assert.equal(result.verdict, 'failed');
  assert.equal(result.note, 'ended after its bound of 1.5 s');
  assert.equal(identify(childPid('hanging')), null);
});

test('S1: when the gate is told to stop, what runs is ended first', async () => {
  const stop = new AbortController();
  const running = runStep(script('stopped', hanging), { ...surroundings, signal: stop.signal });
  const started = (): boolean => childPid('stopped') > 0;
  assert.ok(await waitUntil(started, { timeoutMs: 10_000, everyMs: 20 }));
  stop.abort(new Error('stopped by the test'));
  await assert.rejects(running, /stopped by the test/);
  assert.equal(identify(childPid('stopped')), null);
});

test('S2: a runner that reports nothing, or no test at all, has failed', async () => {
  const silent = await runStep(script('silent', '', { counts: 'node' }), surroundings);
  assert.deepEqual([silent.verdict, silent.note], ['failed', '(no counts reported)']);
  const zero = JSON.stringify({ tests: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0, suites: 0 });
  const file = JSON.stringify(join(logDir, 'empty.counts'));
  const source = `require('node:fs').writeFileSync(${file}, ${JSON.stringify(zero)})`;
  const empty = await runStep(script('empty', source, { counts: 'node' }), surroundings);
  assert.deepEqual([empty.verdict, empty.note], ['failed', 'executed no test']);
});

test('S2: a runner that dies after green tests has failed', async () => {
  const one = JSON.stringify({ tests: 1, passed: 1, failed: 0, cancelled: 0, skipped: 0, todo: 0, suites: 0 });
  const file = JSON.stringify(join(logDir, 'late.counts'));
  const source = `require('node:fs').writeFileSync(${file}, ${JSON.stringify(one)}); process.exit(7)`;
  const late = await runStep(script('late', source, { counts: 'node' }), surroundings);
  assert.deepEqual(late.counts, { passed: 1, failed: 1, skipped: 0 });
  assert.equal(late.note, 'exit code 7');
});

test('results come in the order of the steps, whatever ends first', async () => {
  const mark = join(logDir, 'quick-has-ended');
  const slow = script(
    'slow',
    `const look = setInterval(() => require('node:fs').existsSync(${JSON.stringify(mark)}) && clearInterval(look), 20)`,
  );
  const ends: string[] = [];
  const results = await runSteps([slow, script('quick', '')], 2, surroundings, (result) => {
    ends.push(result.name);
    writeFileSync(mark, '');
  });
  assert.deepEqual(ends, ['quick', 'slow']);
  assert.deepEqual(
    results.map((result) => result.name),
    ['slow', 'quick'],
  );
});

test('the last line is the true sum, and a skipped step is not a passed one', () => {
  const passed = {
    name: 'a',
    verdict: 'passed' as const,
    counts: { passed: 41, failed: 0, skipped: 0 },
    durationMs: 10,
    note: '',
  };
  const lastLine = (...results: Parameters<typeof summary>[0]): string => summary(results).split('\n').at(-1) ?? '';
  assert.equal(lastLine(passed), '41 passed, 0 failed');
  assert.equal(lastLine(passed, skippedStep('b', 'no helm')), '41 passed, 0 failed, 1 skipped');
  assert.equal(lastLine(passed, brokenStep('c', 'no file')), '41 passed, 1 failed');
});

test('of a failed step the end of the log is shown, without colours', async () => {
  const source = 'for (let line = 1; line <= 100; line++) console.log("\\u001b[31mline " + line)';
  const result = await runStep(script('chatty', `${source}; process.exitCode = 1`), surroundings);
  const lines = failureText(result, logDir, logDir).split('\n');
  assert.equal(lines[0], '── chatty: the end of chatty.log');
  assert.deepEqual([lines[1], lines.at(-2)], ['line 41', 'line 100']);
});

test('descendants are found by parent pid, whatever the order of the list', () => {
  const lines = ' 30 20\n 10 1\n 20 10\n 40 1\n 21 10\n';
  assert.deepEqual(descendants(10, lines), [20, 21, 30]);
});
