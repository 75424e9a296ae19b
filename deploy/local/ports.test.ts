import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { StartError } from './errors.ts';
import { freePorts, isPortFree, localHost, requireFreePorts } from './ports.ts';

test('taken ports are one plain sentence each, with what wants them and the flag that changes it', async (context) => {
  const [taken, free, takenToo] = (await freePorts(3)) as [number, number, number];
  for (const [port, host] of [
    [taken, localHost],
    [takenToo, '0.0.0.0'],
  ] as const) {
    const server = createServer();
    server.listen({ port, host });
    await once(server, 'listening');
    context.after(() => server.close());
  }
  const uses = [
    { port: taken, wantedBy: 'Postgres', flag: '--postgres-port' },
    { port: free, wantedBy: 'core', flag: '--core-port' },
    { port: takenToo, wantedBy: 'the edge', flag: '--edge-port' },
  ];
  await assert.rejects(requireFreePorts(uses), (error) => {
    assert.ok(error instanceof StartError);
    assert.deepEqual(error.message.split('\n'), [
      `Port ${taken} is taken, and Postgres needs it: end what listens there, or choose another with --postgres-port.`,
      `Port ${takenToo} is taken, and the edge needs it: end what listens there, or choose another with --edge-port.`,
    ]);
    return true;
  });
});

test('free ports are different and free', async () => {
  const ports = await freePorts(5);
  assert.equal(new Set(ports).size, 5);
  for (const port of ports) assert.equal(await isPortFree(port), true);
});
