/** What the tests met is noted, and what they did not meet is named. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { problemTable } from '@local-plus/contracts';
import { unmet } from './unmet.ts';

const refusals = Object.entries(problemTable).filter(([, { status }]) => status < 500);
const lines = refusals.map(([code, { status }]) => `${status} ${code}`);

test('every refusal that was met once is enough', () => {
  assert.deepEqual(unmet([...lines, ...lines, '']), { codes: [], strange: [] });
});

test('a refusal that nobody met is named, and so is one with the wrong status', () => {
  assert.deepEqual(unmet(lines.filter((line) => line !== '404 not_found')), { codes: ['not_found'], strange: [] });
  const wrong = lines.map((line) => (line === '404 not_found' ? '400 not_found' : line));
  assert.deepEqual(unmet([...wrong, '400 made_up']), {
    codes: ['not_found'],
    strange: ['400 made_up', '400 not_found'],
  });
});

test('a process notes the problems that it reads, and nothing else', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'problem-codes-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const program = `
    import { createServer } from 'node:net';
    import { connect } from 'node:net';
    const answer = (status, type, code) =>
      new Response(JSON.stringify({ type: 'about:blank', status, code }), { status, headers: { 'content-type': type } });
    await answer(404, 'application/problem+json', 'not_found').json();
    await answer(409, 'application/problem+json', 'account_frozen').text();
    await answer(200, 'application/json', 'not_a_problem').json();
    const lines = '{"index":0,"problem":{"status":409,"code":"group_refused"}}\\n';
    await new Response(lines, { headers: { 'content-type': 'application/x-ndjson' } }).text();
    const raw = 'HTTP/1.1 408 Request Timeout\\r\\n\\r\\n{"status":408,"code":"request_timeout"}';
    const server = createServer((socket) => socket.end(raw)).listen(0, '127.0.0.1', () => {
      connect(server.address().port, '127.0.0.1').on('data', () => server.close());
    });`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', pathToFileURL(join(import.meta.dirname, 'record.ts')).href, '--input-type=module', '-e', program],
    { env: { ...process.env, PROBLEM_CODES_DIR: dir }, encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  const noted = readdirSync(dir).map((file) => readFileSync(join(dir, file), 'utf8'));
  assert.deepEqual(noted, ['404 not_found\n409 account_frozen\n409 group_refused\n408 request_timeout\n']);
});
