/**
 * A tool is installed once, whole or not at all; what cannot be had is a sentence. Python is a stand-in here; that the
 * real one installs schemathesis is seen by the gate.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testFolder } from '../local/test-folder.ts';
import { ensurePythonTool, type PythonTool, type PythonToolOutcome } from './python-tool.ts';

const tool: PythonTool = {
  name: 'sample',
  version: '1.2.3',
  module: 'sample.cli',
  requirements: '/requirements.txt',
};

/** Makes a folder with a python that writes a line per call; `pip` is what the test says. */
const pythonWith = (pip: string): string => `#!/bin/sh
echo "venv" >> "$HOME/calls"
sleep 0.2
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "$*" >> "$HOME/calls"\\n${pip}\\n' > "$3/bin/python"
chmod +x "$3/bin/python"
`;

interface Machine {
  readonly ensure: () => Promise<PythonToolOutcome>;
  readonly calls: () => string[];
  readonly cacheDir: string;
}

function machineWith(python: string | null): Machine {
  const home = testFolder();
  const binDir = join(home, 'bin');
  const cacheDir = join(home, 'cache');
  mkdirSync(binDir);
  writeFileSync(join(home, 'calls'), '');
  if (python !== null) {
    writeFileSync(join(binDir, 'python3'), python);
    chmodSync(join(binDir, 'python3'), 0o755);
  }
  const env = { HOME: home, PATH: python === null ? binDir : `${binDir}:/usr/bin:/bin` };
  return {
    ensure: () => ensurePythonTool(tool, { cacheDir, log: () => undefined, env }),
    calls: () => readFileSync(join(home, 'calls'), 'utf8').split('\n').filter(Boolean),
    cacheDir,
  };
}

function missing(outcome: PythonToolOutcome): string {
  if ('missing' in outcome) return outcome.missing;
  throw new Error('it should not be there');
}

test('it is installed once, by whoever comes first, from the pinned list', async () => {
  const { ensure, calls, cacheDir } = machineWith(pythonWith('exit 0'));
  const command = [join(cacheDir, 'sample-1.2.3', 'bin', 'python'), '-m', 'sample.cli'];
  assert.deepEqual(await Promise.all([ensure(), ensure()]), [{ command }, { command }]);
  assert.deepEqual(await ensure(), { command });
  const flags = '--quiet --disable-pip-version-check --requirement /requirements.txt';
  assert.deepEqual(calls(), ['venv', `-m pip install ${flags}`]);
});

test('half an installation does not count: the next run begins anew', async () => {
  const { ensure, calls } = machineWith(pythonWith('exit 1'));
  assert.match(missing(await ensure()), /^pip could not install sample \(exit code 1\); .* says why\.$/);
  await ensure();
  assert.equal(calls().filter((call) => call === 'venv').length, 2);
});

test('without python3 it is one sentence', async () => {
  const { ensure } = machineWith(null);
  assert.equal(missing(await ensure()), 'python3 is not on PATH, and sample needs it.');
});

test('without its module venv it is one sentence, which says what to install', async () => {
  const { ensure } = machineWith('#!/bin/sh\necho "No module named venv" >&2\nexit 1\n');
  assert.match(
    missing(await ensure()),
    /^python3 cannot make a folder for sample: its module venv is missing \(on Debian/,
  );
});
