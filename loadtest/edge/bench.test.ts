/** What the edge's bench rests on: its generator counts what it was answered, its figures are what their names say. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { z } from 'zod';
import { sampleAt } from './memory.ts';
import { median, percentile } from './report.ts';
import { writeRequests } from './requests.ts';
import { kinds, mixedRequests, refusedShare, requestOf } from './traffic.ts';

const counted = z.object({ answers: z.int(), notOk: z.int(), broken: z.int() });

test('the generator without wrk sends the file round and round, and counts the answers', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'edge-bench-'));
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    asked.set(`${method} ${url}`, (asked.get(`${method} ${url}`) ?? 0) + 1);
    request.resume();
    // Without a length: in chunks.
    request.once('end', () => response.writeHead(url === '/no' ? 404 : 200).end('yes'));
  });
  context.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const file = join(folder, 'requests');
  writeRequests(file, [
    { method: 'GET', target: '/yes' },
    { method: 'POST', target: '/yes', body: '{"ü":1}' },
    { method: 'GET', target: '/no', headers: { 'x-one': 'two' } },
  ]);
  const { port } = server.address() as AddressInfo;
  const client = join(import.meta.dirname, 'cycle-client.ts');
  // A connection for each: all three are sent even when nobody answers within the second.
  const { stdout } = await promisify(execFile)(process.execPath, [client, file, String(port), '3', '1']);
  const { answers, notOk, broken } = counted.parse(JSON.parse(stdout));
  assert.deepEqual([...asked.keys()].sort(), ['GET /no', 'GET /yes', 'POST /yes']);
  assert.equal(
    answers,
    [...asked.values()].reduce((sum, count) => sum + count, 0),
  );
  assert.equal(notOk, asked.get('GET /no'));
  assert.equal(broken, 0);
});

test('the mix has every kind, and strangers as many as it says', () => {
  const mixed = mixedRequests(1_000);
  const isStranger = ({ headers }: { headers?: object }): boolean => 'cf-connecting-ip' in (headers ?? {});
  assert.equal(mixed.filter(isStranger).length, 1_000 * refusedShare);
  for (const kind of kinds) assert.notDeepEqual(requestOf(kind, 1), requestOf(kind, 2), kind);
});

test('percentiles, medians and samples are what they are called', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(
    [0.5, 0.9, 0.99, 1].map((share) => percentile(hundred, share)),
    [50, 90, 99, 100],
  );
  assert.equal(percentile([7], 0.5), 7);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  const samples = [0, 90, 210].map((requests) => ({ requests, rssBytes: requests }));
  assert.deepEqual(
    [0, 50, 100, 1_000].map((requests) => sampleAt(samples, requests).requests),
    [0, 90, 210, 210],
  );
});
