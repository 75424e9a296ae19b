import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startEdge, workerdConfig } from './edge.ts';
import { StartError } from './errors.ts';
import { freePorts } from './ports.ts';
import { testFolder } from './test-folder.ts';
import { waitUntil } from './waits.ts';

const worker = `
import { DurableObject } from 'cloudflare:workers';
export class Counter extends DurableObject {
  async fetch() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1;
    await this.ctx.storage.put('count', count);
    await this.ctx.storage.setAlarm(Date.now() + 1);
    return new Response(String(count));
  }
  async hasRung() { return (await this.ctx.storage.get('rang')) ?? false; }
  async alarm() { await this.ctx.storage.put('rang', true); }
}
export default {
  async fetch(request, env) {
    const counter = env.COUNTER.get(env.COUNTER.idFromName('one'));
    const count = await (await counter.fetch('http://counter/')).text();
    return Response.json({ text: env.TEXT, count, rang: await counter.hasRung() });
  },
};`;

interface Answer {
  readonly text: string;
  readonly count: string;
  readonly rang: boolean;
}

test('a Worker runs on workerd with its text bindings and its durable object, whose alarm rings, again after kill -9', async (context) => {
  const folder = testFolder();
  const entry = join(folder, 'worker.ts');
  writeFileSync(entry, worker);
  const [port] = (await freePorts(1)) as [number];
  const text = 'quotes " and \\ and\nlines';
  const server = await startEdge({
    port,
    runDir: join(folder, 'run'),
    logDir: join(folder, 'logs'),
    buildDir: join(folder, 'edge'),
    bindings: { TEXT: text },
    durableObjects: [{ binding: 'COUNTER', className: 'Counter', uniqueKey: 'counter' }],
    entry,
  });
  context.after(() => server.stop());
  const read = async (): Promise<Answer> => (await (await fetch(server.url)).json()) as Answer;
  const first = await read();
  assert.equal(first.text, text);
  assert.equal(Number((await read()).count), Number(first.count) + 1);
  const { pid } = server;
  assert.ok(await waitUntil(async () => (await read()).rang, { timeoutMs: 10_000, everyMs: 20 }), 'no alarm rang');
  assert.equal(server.pid, pid, 'the same process');
  await server.kill();
  await server.start();
  const again = await read();
  assert.equal(again.text, text);
  assert.equal(again.count, first.count, 'what the objects kept ended with their process');
});

test('a Worker that does not bundle is one sentence', async () => {
  const folder = testFolder();
  const entry = join(folder, 'worker.ts');
  writeFileSync(entry, 'export default {{');
  const [port] = (await freePorts(1)) as [number];
  const options = { port, runDir: folder, logDir: folder, buildDir: folder, bindings: {}, entry };
  await assert.rejects(startEdge(options), StartError);
});

test('no secret stands in the configuration', () => {
  const config = workerdConfig({ port: 1, buildDir: '/build', bindings: { SIGNING_KEYS: 'k1:secret' } });
  assert.ok(config.includes('SIGNING_KEYS'));
  assert.ok(!config.includes('secret'));
});
