import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testFolder } from './test-folder.ts';

const bootstrap = fileURLToPath(new URL('../bootstrap.mjs', import.meta.url));

interface Checkout {
  readonly dir: string;
  run(...args: string[]): { status: number | null; output: string };
  installs(): number;
}

/** A checkout whose `npm` only writes down that it was called, and makes a node_modules. */
function checkout(): Checkout {
  const dir = testFolder();
  const [bin, calls] = [join(dir, 'path'), join(dir, 'calls')];
  mkdirSync(join(dir, 'deploy'));
  mkdirSync(bin);
  copyFileSync(bootstrap, join(dir, 'deploy', 'bootstrap.mjs'));
  writeFileSync(join(dir, 'package-lock.json'), '{}');
  writeFileSync(join(dir, 'script.mjs'), 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;');
  const npm = `#!/bin/sh\necho "$@" >> ${calls}\nrm -rf node_modules\nmkdir -p node_modules/.bin\nln -s ${process.execPath} node_modules/.bin/node\n`;
  writeFileSync(join(bin, 'npm'), npm);
  chmodSync(join(bin, 'npm'), 0o755);
  return {
    dir,
    run(...args) {
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      const { status, stdout, stderr } = spawnSync(process.execPath, ['deploy/bootstrap.mjs', ...args], {
        cwd: dir,
        env,
        encoding: 'utf8',
      });
      return { status, output: stdout + stderr };
    },
    installs: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0),
  };
}

test('installs once, hands over arguments and exit code, and installs again when the lockfile changes', () => {
  const { dir, run, installs } = checkout();
  const first = run('script.mjs', '--', '--flag', 'a b');
  assert.equal(first.status, 7, first.output);
  assert.match(first.output, /\["--flag","a b"\]/);
  assert.equal(installs(), 1);
  assert.equal(run('script.mjs').status, 7);
  assert.equal(installs(), 1);
  writeFileSync(join(dir, 'package-lock.json'), '{"changed": true}');
  assert.equal(run('script.mjs').status, 7);
  assert.equal(installs(), 2);
});

test('an install made by hand after the lockfile counts, one made before it does not', () => {
  const { dir, run, installs } = checkout();
  const record = join(dir, 'node_modules', '.package-lock.json');
  mkdirSync(join(dir, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(process.execPath, join(dir, 'node_modules', '.bin', 'node'));
  writeFileSync(record, '{}');
  assert.equal(run('script.mjs').status, 7);
  assert.equal(installs(), 0);
  rmSync(join(dir, 'node_modules', '.local-plus-lock'));
  utimesSync(record, 1, 1);
  assert.equal(run('script.mjs').status, 7);
  assert.equal(installs(), 1);
});

test('a failed install is one sentence, and leaves no lock behind', () => {
  const { dir, run } = checkout();
  writeFileSync(join(dir, 'path', 'npm'), '#!/bin/sh\nexit 9\n');
  const outcome = run('script.mjs');
  assert.equal(outcome.status, 1);
  assert.match(outcome.output, /npm ci failed with exit code 9/);
  assert.ok(!existsSync(join(dir, '.local', 'install.lock')));
});

test('the install lock of a dead run is taken over', () => {
  const { dir, run, installs } = checkout();
  const lock = join(dir, '.local', 'install.lock');
  mkdirSync(lock, { recursive: true });
  const dead = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' });
  writeFileSync(join(lock, 'pid'), dead.stdout.trim());
  assert.equal(run('script.mjs').status, 7);
  assert.equal(installs(), 1);
});
