/**
 * The counts are the runners' own: real runs of node's and Deno's test runner over a small suite.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repositoryDir } from '../local/places.ts';
import { addCounts, readDenoCounts, readNodeCounts } from './counts.ts';
import { stepEnvironment } from './environment.ts';
import { runStep, type StepSurroundings } from './run-step.ts';
import { type Suite, suiteStep } from './steps.ts';

const dir = mkdtempSync(join(tmpdir(), 'gate-counts-'));
const green = join(dir, 'green.test.mjs');
const red = join(dir, 'red.test.mjs');
const broken = join(dir, 'broken.test.mjs');
const surroundings: StepSurroundings = {
  repositoryDir,
  logDir: dir,
  env: stepEnvironment(process.env),
  signal: new AbortController().signal,
};

before(() => {
  writeFileSync(
    green,
    `import { describe, it, test } from 'node:test';
     describe('group', () => { it('one', () => {}); it('two', () => {}); });
     test('three', () => {});
     test.skip('later', () => {});`,
  );
  writeFileSync(red, `import { test } from 'node:test'; test('four', () => { throw new Error('planted'); });`);
  writeFileSync(broken, `import './there-is-no-such-file.mjs';`);
});
after(() => rmSync(dir, { recursive: true, force: true }));

function suiteOf(runner: Suite['runner'], name: string): Suite {
  return { name, runner, include: [], exclude: [], fileConcurrency: 2, testMs: 20_000, stepMs: 60_000 };
}

for (const runner of ['node', 'deno'] as const) {
  const run = (name: string, ...files: string[]) =>
    runStep(suiteStep(suiteOf(runner, `${runner}-${name}`), files, process.execPath, dir), surroundings);

  test(`${runner}: passed, failed and skipped tests are counted, groups are not`, async () => {
    const result = await run('mixed', green, red);
    assert.equal(result.verdict, 'failed');
    assert.deepEqual(result.counts, { passed: 3, failed: 1, skipped: 1 });
  });

  test(`${runner}: a green suite passes`, async () => {
    const result = await run('green', green);
    assert.equal(result.verdict, 'passed', result.note);
    assert.deepEqual(result.counts, { passed: 3, failed: 0, skipped: 1 });
  });

  test(`${runner}: a file that cannot be loaded is a failure`, async () => {
    const result = await run('broken', green, broken);
    assert.equal(result.verdict, 'failed');
    assert.ok(result.counts.failed >= 1);
  });
}

test('C1: what is no report is no counts', () => {
  for (const text of ['', '{"passed":', '{"passed": 1}', 'null']) assert.equal(readNodeCounts(text), null);
  assert.equal(readDenoCounts(''), null);
});

test('C2: a cancelled test is a failed one', () => {
  const text = JSON.stringify({ tests: 5, passed: 2, failed: 1, cancelled: 1, skipped: 0, todo: 1, suites: 1 });
  assert.deepEqual(readNodeCounts(text), { passed: 2, failed: 2, skipped: 1 });
});

test('counts add up', () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  assert.deepEqual(addCounts([one, one]), { passed: 2, failed: 4, skipped: 6 });
});
