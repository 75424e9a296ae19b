import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { AbsentError } from './errors.ts';
import { freePorts } from './ports.ts';
import type { Server } from './server.ts';
import { testFolder } from './test-folder.ts';
import { startValkey } from './valkey.ts';

test('Valkey answers, evicts only what expires, and has its data after a restart', async (context) => {
  const folder = testFolder();
  const [port] = (await freePorts(1)) as [number];
  let server: Server;
  try {
    server = await startValkey({ dataDir: join(folder, 'valkey'), port });
  } catch (error) {
    if (error instanceof AbsentError) return context.skip(error.message);
    throw error;
  }
  context.after(() => server.stop());
  const client = new Redis(server.url);
  context.after(() => client.disconnect());
  await client.set('key', 'kept');
  assert.deepEqual(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'volatile-lru']);
  await server.restart();
  assert.equal(await client.get('key'), 'kept');
  await server.kill();
  await server.start();
  assert.equal(await client.ping(), 'PONG');
});
