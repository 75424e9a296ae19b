/**
 * The tables of the gate cover the repository: no test file is left out, none runs twice, every script is the gate's.
 */
import assert from 'node:assert/strict';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { repositoryDir } from '../local/places.ts';
import { filesOf, staticSteps, suites, tsconfigs } from './steps.ts';

const isOurs = (path: string): boolean => !/(^|\/)(node_modules|\.local)\//.test(path);
const nodeSuites = [suites.chart, suites.tests, suites.endToEnd];

test('every test file is run by exactly one suite under Node', () => {
  const all = globSync('*/**/*.test.ts', { cwd: repositoryDir }).filter(isOurs).sort();
  const run = nodeSuites.flatMap((suite) => filesOf(suite, repositoryDir)).sort();
  assert.deepEqual(run, all);
  assert.ok(run.length > 0);
});

test('the suites part a tree as their tables say', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gate-suites-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const files = [
    'actors/account/domain.test.ts',
    'contracts/ids.test.ts',
    'core/ledger/store.test.ts',
    'core/node_modules/x/x.test.ts',
    'deploy/helm/chart.test.ts',
    'deploy/local/stack.e2e.test.ts',
    'edge/limits.test.ts',
    'edge/worker.workerd.test.ts',
  ];
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), '');
  }
  assert.deepEqual(filesOf(suites.chart, dir), ['deploy/helm/chart.test.ts']);
  assert.deepEqual(filesOf(suites.endToEnd, dir), ['deploy/local/stack.e2e.test.ts']);
  const portable = ['actors/account/domain.test.ts', 'contracts/ids.test.ts', 'edge/limits.test.ts'];
  assert.deepEqual(filesOf(suites.portable, dir), portable);
  const tests = [
    ...portable.slice(0, 2),
    'core/ledger/store.test.ts',
    'edge/limits.test.ts',
    'edge/worker.workerd.test.ts',
  ];
  assert.deepEqual(filesOf(suites.tests, dir), tests);
});

test('the gate checks the types by every tsconfig.json there is', () => {
  const found = globSync(['tsconfig.json', '*/**/tsconfig.json'], { cwd: repositoryDir }).filter(isOurs).sort();
  assert.deepEqual(Object.values(tsconfigs).sort(), found);
});

test('the scripts that the gate runs exist', () => {
  const text = readFileSync(join(repositoryDir, 'package.json'), 'utf8');
  const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(text));
  const named = staticSteps('node').flatMap(({ command }) => (command[1] === '--run' ? [command[2] ?? ''] : []));
  assert.deepEqual(named, ['lint', 'imports']);
  for (const name of named) assert.ok(name in scripts, name);
});

test('CI runs the gate and nothing else', () => {
  const lines = readFileSync(join(repositoryDir, '.ci', 'run'), 'utf8').split('\n');
  const commands = lines.filter((line) => line !== '' && !/^(#|set |cd )/.test(line));
  assert.deepEqual(commands, ['npm test']);
});
