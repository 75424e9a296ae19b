/** The same edge on Deno: one earn through `deno serve`, signed so that the origin believes it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePorts } from '@local-plus/deploy';
import { type StandIn, signingKeys, startStandIn } from './origin.ts';
import { earn, earnPath, grant, key, told } from './stage.ts';
import { eventually } from './stand.ts';

let origin: StandIn;
let deno: ChildProcess;
let url: string;

before(async () => {
  origin = await startStandIn();
  origin.keys.set(createHash('sha256').update(key).digest('hex'), grant);
  const [port] = (await freePorts(1)) as [number];
  url = `http://127.0.0.1:${port}`;
  const program = createRequire(import.meta.url).resolve('deno/bin.cjs');
  const options = ['serve', '--node-modules-dir=manual', '--cached-only', '--no-check', '-A', '--host=127.0.0.1'];
  deno = spawn(process.execPath, [program, ...options, `--port=${port}`, join(import.meta.dirname, '..', 'deno.ts')], {
    env: { ...process.env, ORIGIN_URL: origin.url, SIGNING_KEYS: signingKeys, ENVIRONMENT: 'local' },
    stdio: 'ignore',
    // The program on PATH is a script that starts the real one: both are ended as one group.
    detached: true,
  });
  await eventually('deno serves', async () =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
});
after(async () => {
  if (deno.pid !== undefined) process.kill(-deno.pid, 'SIGTERM');
  if (deno.exitCode === null && deno.signalCode === null) await once(deno, 'exit');
  await origin.goAway();
});

describe('the edge on Deno', () => {
  it('forwards an earn, signed', async () => {
    assert.equal(await told(await fetch(url + earnPath, earn())), '201');
    assert.deepEqual([origin.believed[0]?.target, origin.believed[0]?.body], [earnPath, '{"amount":5}']);
    assert.equal(origin.believed[0]?.context.clientIp, '127.0.0.1');
    assert.deepEqual(origin.disbelieved, []);
  });

  it('refuses what it refuses elsewhere', async () => {
    assert.equal(await told(await fetch(url + earnPath, earn('{"amount":0}'))), '400 invalid_request');
    assert.equal(await told(await fetch(`${url}/v1/%63atalog`)), '400 invalid_path');
    assert.equal(await told(await fetch(url + earnPath, earn('{}', { authorization: '' }))), '401 unauthenticated');
    assert.equal(origin.believed.length, 1);
  });
});
