import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startEdge, workerdConfig } from './edge.ts';
import { StartError } from './errors.ts';
import { freePorts } from './ports.ts';
import { testFolder } from './test-folder.ts';

const worker = `
import { DurableObject } from 'cloudflare:workers';
export class Counter extends DurableObject {
  count = 0;
  async fetch() { return new Response(String(++this.count)); }
}
export default {
  async fetch(request, env) {
    const counter = env.COUNTER.get(env.COUNTER.idFromName('one'));
    const count = await (await counter.fetch('http://counter/')).text();
    return Response.json({ text: env.TEXT, count });
  },
};`;

test('a Worker runs on workerd with its text bindings and its durable object, again after kill -9', async (context) => {
  const folder = testFolder(context);
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
  const read = async (): Promise<{ text: string; count: string }> =>
    (await (await fetch(server.url)).json()) as { text: string; count: string };
  const first = await read();
  assert.equal(first.text, text);
  assert.equal(Number((await read()).count), Number(first.count) + 1);
  await server.kill();
  await server.start();
  assert.equal((await read()).text, text);
});

test('a Worker that does not bundle is one sentence', async (context) => {
  const folder = testFolder(context);
  const entry = join(folder, 'worker.ts');
  writeFileSync(entry, 'export default {{');
  const [port] = (await freePorts(1)) as [number];
  const options = { port, runDir: folder, logDir: folder, buildDir: folder, bindings: {}, entry };
  await assert.rejects(startEdge(options), StartError);
});

test('no secret stands in the configuration', () => {
  const config = workerdConfig({ port: 1, bindings: { SIGNING_KEYS: 'k1:secret' } });
  assert.ok(config.includes('SIGNING_KEYS'));
  assert.ok(!config.includes('secret'));
});
