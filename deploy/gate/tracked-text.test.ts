/**
 * The check finds each planted thing, names its line, and leaves ordinary text alone. What is planted is put together
 * at run time, so that this file itself stays clean.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkTrackedText, findForbidden } from './tracked-text.ts';

const planted: readonly (readonly [what: string, text: string])[] = [
  ['a package registry', `resolved "https://${['registry', 'npmjs', 'org'].join('.')}/zod"`],
  ['a package registry', `GOPROXY=${['proxy', 'golang', 'org'].join('.')}`],
  ['a package registry', ['deb', 'debian', 'org'].join('.')],
  ['a package mirror', `registry=http://${['artifactory', 'example', 'com'].join('.')}/npm/`],
  ['a path of one machine', `see ${['', 'root', 'notes.md'].join('/')}`],
  ['a path of one machine', `'${['', 'home', 'ada', 'src'].join('/')}'`],
  ['a path of one machine', `file://${['', 'Users', 'ada', 'src'].join('/')}`],
  ['a path of one machine', `cd ${['', 'work', 'main'].join('/')}`],
  ['a private key', `-----BEGIN ${'EC '}PRIVATE KEY-----`],
  ['a cloud access key', `AKIA${'Q'.repeat(16)}`],
  ['a GitHub token', `ghp${'_'}${'a1'.repeat(18)}`],
  ['a Slack token', `xoxb${'-'}${'1234567890'.repeat(2)}`],
  ['an npm token', `//host/:_auth${'Token'}=abc`],
  ['a tunnel token', `TOKEN=eyJhIjo${'i'}${'x'.repeat(60)}`],
];

for (const [what, text] of planted) {
  test(`finds ${what}: ${text.slice(0, 12)}…`, () => {
    assert.deepEqual(findForbidden(`harmless\n${text}\n`), [{ what, line: 2 }]);
  });
}

const harmless = [
  'GET /v1/work/items and /homepage, /rooted',
  'http://127.0.0.1:8080/root',
  'COPY --from=dependencies /app/node_modules ./node_modules',
  'an API key: lp_live_…',
  'postgres://postgres@127.0.0.1:5432/local_plus',
  'homes = {base}/home/user',
  '//registry.example/:_authToken=$NPM_TOKEN',
];

for (const text of harmless) {
  test(`leaves alone: ${text}`, () => {
    assert.deepEqual(findForbidden(text), []);
  });
}

test('looks at tracked and at new files, not at ignored ones, and names file and line', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tracked-text-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const secret = `AKIA${'Q'.repeat(16)}\n`;
  execFileSync('git', ['init', '--quiet'], { cwd: dir });
  writeFileSync(join(dir, '.gitignore'), 'ignored.txt\n');
  writeFileSync(join(dir, 'ignored.txt'), secret);
  writeFileSync(join(dir, 'new.txt'), `\n\n${secret}`);
  writeFileSync(join(dir, 'tracked.txt'), secret);
  writeFileSync(join(dir, 'gone.txt'), secret);
  writeFileSync(join(dir, 'binary.dat'), `\0${secret}`);
  execFileSync('git', ['add', 'tracked.txt', 'gone.txt'], { cwd: dir });
  rmSync(join(dir, 'gone.txt'));
  assert.deepEqual(checkTrackedText(dir).sort(), [
    'new.txt:3: a cloud access key',
    'tracked.txt:1: a cloud access key',
  ]);
});
