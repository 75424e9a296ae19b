/**
 * A tool comes from PATH, from a cache, or from one build; what cannot be had is a sentence. The Go command is a
 * stand-in here; that the real one builds helm is seen by the gate.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ensureGoTool, findGoTool, type GoTool, isAcceptable, wrapperModule } from './go-tool.ts';

const tool: GoTool = {
  name: 'sample',
  module: 'example.org/sample/v2',
  version: 'v2.3.1',
  package: 'example.org/sample/v2/cmd',
};

/** Writes what it is asked to build, and a line per call. */
const workingGo = `#!/bin/sh
echo "$CGO_ENABLED $*" >> "$HOME/calls"
sleep 0.3
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho v2.3.1\\n' > "$2"
chmod +x "$2"
`;
const failingGo = '#!/bin/sh\necho "go: no route to the module proxy" >&2\nexit 1\n';

interface Machine {
  readonly home: string;
  readonly binDir: string;
  readonly lines: string[];
  readonly options: Parameters<typeof ensureGoTool>[1];
  install(name: string, source: string): string;
}

function machine(t: TestContext): Machine {
  const home = mkdtempSync(join(tmpdir(), 'go-tool-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const binDir = join(home, 'bin');
  mkdirSync(binDir);
  const lines: string[] = [];
  const env = { HOME: home, PATH: [binDir, '/usr/bin', '/bin'].join(':'), SECRET: 'not for the build' };
  return {
    home,
    binDir,
    lines,
    options: { cacheDir: join(home, 'clone'), log: (line) => lines.push(line), env },
    install(name, source) {
      const path = join(binDir, name);
      writeFileSync(path, source);
      chmodSync(path, 0o755);
      return path;
    },
  };
}

const calls = (at: Machine): string[] => readFileSync(join(at.home, 'calls'), 'utf8').trim().split('\n');

test('one on PATH of the right version is taken, one of another major version is not', async (t) => {
  const at = machine(t);
  const path = at.install('sample', '#!/bin/sh\necho "sample v2.4.0 (go)"\n');
  assert.deepEqual(await ensureGoTool(tool, at.options), { path });
  at.install('sample', '#!/bin/sh\necho "sample v1.9.0"\n');
  assert.equal(await findGoTool(tool, at.options), null);
  assert.match(at.lines.at(-1) ?? '', /not of version v2\.3\.1/);
});

test('without the tool and without Go there is one plain sentence', async (t) => {
  const at = machine(t);
  // Some machines have a Go in /usr/bin.
  const env = { HOME: at.home, PATH: at.binDir };
  assert.deepEqual(await ensureGoTool(tool, { ...at.options, env }), {
    missing: 'Neither sample nor Go is on PATH: install one of them (Go builds sample once).',
  });
});

test('T1, T2: it is built once, whole, and found by the next call and by another clone', async (t) => {
  const at = machine(t);
  at.install('go', workingGo);
  const otherClone = { ...at.options, cacheDir: join(at.home, 'other-clone') };
  const [first, second] = await Promise.all([ensureGoTool(tool, at.options), ensureGoTool(tool, otherClone)]);
  assert.equal(calls(at).length, 1, 'two at once build once');
  const shared = join(at.home, '.cache', 'local-plus', 'bin', 'sample-v2.3.1');
  const built = [at.options.cacheDir, otherClone.cacheDir].map((dir) => join(dir, 'sample-v2.3.1'));
  for (const outcome of [first, second]) assert.ok('path' in outcome && [shared, ...built].includes(outcome.path));
  assert.equal(await findGoTool(tool, { ...at.options, cacheDir: join(at.home, 'third-clone') }), shared);
  assert.match(calls(at)[0] ?? '', /^0 build -mod=mod -trimpath .* example\.org\/sample\/v2\/cmd$/);
  const left = [at.options.cacheDir, otherClone.cacheDir].flatMap((dir) => (existsSync(dir) ? readdirSync(dir) : []));
  assert.deepEqual(left.sort(), ['sample-v2.3.1', 'sample-v2.3.1.build.log']);
});

test('T3: another version is another file', async (t) => {
  const at = machine(t);
  at.install('go', workingGo);
  await ensureGoTool(tool, at.options);
  assert.equal(await findGoTool({ ...tool, version: 'v2.3.2' }, at.options), null);
});

test('T4: a build that fails is one sentence with the reason, and leaves no binary and no lock', async (t) => {
  const at = machine(t);
  at.install('go', failingGo);
  assert.deepEqual(await ensureGoTool(tool, at.options), {
    missing: 'sample could not be built with Go (exit code 1): go: no route to the module proxy',
  });
  assert.deepEqual(readdirSync(at.options.cacheDir), ['sample-v2.3.1.build.log']);
  at.install('go', workingGo);
  assert.ok('path' in (await ensureGoTool(tool, at.options)), 'the next call tries again');
});

test('the build sees where its caches are, and nothing else of the environment', async (t) => {
  const at = machine(t);
  at.install('go', `#!/bin/sh\nenv | sed 's/=.*//' | sort > "$HOME/names"\nexit 1\n`);
  await ensureGoTool(tool, at.options);
  const names = readFileSync(join(at.home, 'names'), 'utf8').trim().split('\n');
  const ofTheShell = ['OLDPWD', 'PWD', 'SHLVL', '_'];
  assert.deepEqual(
    names.filter((name) => !ofTheShell.includes(name)),
    ['CGO_ENABLED', 'GOWORK', 'HOME', 'PATH'],
  );
});

test('versions: the same major, not older in the minor', () => {
  const cases: readonly (readonly [printed: string, accepted: boolean])[] = [
    ['k6 v2.3.0 (go1.26.8, linux/amd64)', true],
    ['version.BuildInfo{Version:"v2.4", GitCommit:""}', true],
    ['2.3.9', true],
    ['v2.2.9', false],
    ['v3.3.0', false],
    ['v1.99.0', false],
    ['no version here', false],
  ];
  for (const [printed, accepted] of cases) assert.equal(isAcceptable(printed, 'v2.3.1'), accepted, printed);
});

test('the wrapper module requires the pinned version and repeats the replacements', () => {
  const replaces = { 'example.org/a': 'example.org/b v1.0.0' };
  assert.match(wrapperModule({ ...tool, replaces }), /require example\.org\/sample\/v2 v2\.3\.1/);
  assert.match(wrapperModule({ ...tool, replaces }), /replace example\.org\/a => example\.org\/b v1\.0\.0/);
});
