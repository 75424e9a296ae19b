import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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

test('free ports are side by side, free, and below those of outgoing connections', async () => {
  const [first = 0, ...others] = await freePorts(5);
  assert.deepEqual(others, [first + 1, first + 2, first + 3, first + 4]);
  for (const port of [first, ...others]) {
    assert.equal(await isPortFree(port), true);
    assert.ok(port < 32_768, `${port}`);
  }
});

test('a free port is given once, in whichever process it is asked for, until its holder ends', async (context) => {
  const source = `
    import { freePorts } from ${JSON.stringify(new URL('ports.ts', import.meta.url).href)};
    console.log(JSON.stringify(await freePorts(3)));
    setInterval(() => {}, 1_000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', source]);
  context.after(() => holder.kill('SIGKILL'));
  const [said] = (await once(holder.stdout, 'data')) as [Buffer];
  const [from = 0, second] = JSON.parse(said.toString()) as number[];
  assert.equal(second, from + 1);
  const theirs = { from, below: from + 3 };
  assert.equal(await isPortFree(from), true, 'nobody listens there');
  const message = `There are no 1 free ports side by side from ${from} to ${from + 2}.`;
  await assert.rejects(freePorts(1, theirs), new StartError(message));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const [ours = 0] = await freePorts(1, theirs);
  assert.ok(ours >= from && ours < theirs.below);
  await assert.rejects(freePorts(1, { from: ours, below: ours + 1 }), StartError);
});
