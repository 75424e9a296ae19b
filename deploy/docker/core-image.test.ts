/**
 * The image of core, without a container engine: its file is read, and played in a folder of its own — the same files
 * copied, the same `npm ci`, the same command — as far as core telling that it has no configuration.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { repositoryDir } from '../local/places.ts';
import { execForm, type Instruction, instructionsOf, keyValues, parseDockerfile } from './dockerfile.ts';

const file = join(import.meta.dirname, 'core.Dockerfile');
const image = parseDockerfile(readFileSync(file, 'utf8'));
const [dependencies, runtime] = image.stages;
assert.ok(dependencies !== undefined && runtime !== undefined);
const ignored = readFileSync(`${file}.dockerignore`, 'utf8').split('\n');
const [command = '', ...commandArguments] = execForm(instructionsOf(runtime, 'CMD')[0]?.text ?? '');
const variables = keyValues(
  instructionsOf(runtime, 'ENV')
    .map((instruction) => instruction.text)
    .join(' '),
);

interface Copy {
  readonly sources: readonly string[];
  readonly target: string;
  /** A stage's name; `null` is the build context. */
  readonly from: string | null;
}

function copyOf({ text, flags }: Instruction): Copy {
  const words = text.split(' ');
  return { sources: words.slice(0, -1), target: words.at(-1) ?? '', from: flags['from'] ?? null };
}

const copies = [dependencies, runtime].flatMap((stage) => instructionsOf(stage, 'COPY').map(copyOf));

test('every stage has the same base, which can be chosen', () => {
  assert.deepEqual(
    image.preamble.map(({ name, text }) => `${name} ${text}`),
    ['ARG NODE_IMAGE=node:22-bookworm-slim'],
  );
  for (const stage of image.stages) assert.equal(stage.base, ['$', '{NODE_IMAGE}'].join(''));
});

test('it runs as a number that is not root, and stops as core expects', () => {
  assert.match(instructionsOf(runtime, 'USER')[0]?.text ?? '', /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(instructionsOf(runtime, 'STOPSIGNAL')[0]?.text, 'SIGTERM');
  assert.deepEqual([command, ...commandArguments], ['node', 'core/main.ts']);
  assert.equal(instructionsOf(runtime, 'EXPOSE')[0]?.text, variables['CORE_PORT']);
});

test('nothing is copied that the context does not hold, and no secret can come with it', () => {
  assert.ok(ignored.includes('*'), 'what is not named stays out');
  for (const { sources, from } of copies) {
    if (from !== null) continue;
    for (const source of sources) {
      assert.ok(existsSync(join(repositoryDir, source)), `${source} is not there`);
      const parts = source.split('/');
      const allowed = parts.some((_, index) => ignored.includes(`!${parts.slice(0, index + 1).join('/')}`));
      assert.ok(allowed, `${source} is not in the context`);
    }
  }
  const names = ['DATABASE_URL', 'EDGE_SIGNING_KEYS', 'ADMIN_TOKEN', 'REDIS_URL'];
  for (const name of names) assert.ok(!readFileSync(file, 'utf8').includes(name), name);
});

test('the health check tells alive from not', async (t) => {
  const check = execForm((instructionsOf(runtime, 'HEALTHCHECK')[0]?.text ?? '').replace(/^CMD /, ''));
  let status = 200;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? status : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const exitCode = (port: number): Promise<number> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, check.slice(1), { env: { CORE_PORT: String(port) } });
      child.once('exit', (code) => resolve(code ?? -1));
    });
  assert.equal(await exitCode(address.port), 0);
  status = 503;
  assert.equal(await exitCode(address.port), 1);
  assert.equal(await exitCode(1), 1);
});

/** Plays the COPY instructions of both stages into one folder: they have the same WORKDIR. */
function playCopies(dir: string): void {
  for (const { sources, target, from } of copies) {
    if (from !== null) continue;
    for (const source of sources) {
      const to = target.endsWith('/') ? join(dir, target, basename(source)) : join(dir, target);
      const wanted = (path: string): boolean => !/\/(node_modules|test)(\/|$)|\.test\.ts$/.test(path);
      cpSync(join(repositoryDir, source), to, { recursive: true, filter: wanted });
    }
  }
}

const hasCore = existsSync(join(repositoryDir, 'core', 'main.ts'));

test('its files and its npm ci are enough to start core', { skip: hasCore ? false : 'there is no core yet' }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'core-image-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  playCopies(dir);
  const [npm = '', ...npmArguments] = (instructionsOf(dependencies, 'RUN')[0]?.text ?? '').split(' ');
  // What `npm test` tells its scripts about this package is not true of the copy.
  const isOfThisRun = /^npm_(package|lifecycle|config_local_prefix|command)|^NODE_TEST_CONTEXT$/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOfThisRun.test(name)));
  const installed = spawnSync(npm, [...npmArguments, '--prefer-offline'], { cwd: dir, env, encoding: 'utf8' });
  assert.equal(installed.status, 0, installed.stdout + installed.stderr);
  assert.ok(!existsSync(join(dir, 'node_modules', 'typescript')), 'developers’ tools stay out');

  assert.equal(command, 'node');
  const started = spawnSync(process.execPath, commandArguments, {
    cwd: dir,
    // The image's own variables and no others.
    env: variables,
    encoding: 'utf8',
    timeout: 30_000,
  });
  const output = started.stdout + started.stderr;
  assert.notEqual(started.status, 0, output);
  assert.notEqual(started.status, null, `it did not end: ${output}`);
  assert.doesNotMatch(output, /ERR_MODULE_NOT_FOUND|Cannot find|SyntaxError/);
  for (const name of ['DATABASE_URL', 'EDGE_SIGNING_KEYS', 'ADMIN_TOKEN']) assert.match(output, new RegExp(name));
});
