/**
 * Tests that run inside a world of their own (`network.test.ts` starts them there). No clock is asked whether a packet is lost: of
 * two that went the same way the later one has arrived, and the earlier one never did.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Side, sideHosts } from '../commands.ts';
import { Network } from '../network.ts';

const CORE = 1;
const sides = Object.keys(sideHosts) as Side[];

describe('the network', () => {
  let network: Network;
  let core: ChildProcess;
  let places: { tcp: AddressInfo; udp: AddressInfo };
  /** What the process has received, and what each side has. */
  const received: string[] = [];
  const sockets = {} as Record<Side, Socket>;

  before(async () => {
    network = await Network.open(2);
    const { host, within } = network.core(CORE);
    const [command = '', ...args] = [...within, process.execPath, join(import.meta.dirname, 'peer.ts'), host];
    core = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    [places] = (await once(core, 'message')) as [typeof places];
    core.on('message', ({ from, text }: { from: string; text: string }) => note(`core < ${nameOf(from)}: ${text}`));
    for (const side of sides) {
      const socket = createSocket('udp4', (text) => note(`${side} < core: ${text}`));
      socket.bind(0, sideHosts[side]);
      await once(socket, 'listening');
      sockets[side] = socket;
    }
  });
  after(async () => {
    for (const side of sides) sockets[side].close();
    core.disconnect();
    await once(core, 'exit');
    await network.close();
  });

  let noted = Promise.withResolvers<void>();
  function note(what: string): void {
    received.push(what);
    noted.resolve();
    noted = Promise.withResolvers<void>();
  }
  const nameOf = (host: string): string => sides.find((side) => sideHosts[side] === host) ?? host;

  /** Every way once; which of them the kernel refuses to send would be thrown. */
  async function sendAll(text: string): Promise<void> {
    for (const side of sides) {
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
        sockets[side].send(text, places.udp.port, places.udp.address, done);
      });
      core.send({ to: sideHosts[side], port: sockets[side].address().port, text });
    }
  }

  /** What arrived while it was cut; everything that is sent once it is healed has to. */
  async function lostBy(cut: () => Promise<() => Promise<void>>): Promise<string[]> {
    received.splice(0);
    const heal = await cut();
    await sendAll('cut');
    // A process does what it is told in order: when it has heard this from itself it has sent all that it was told to.
    core.send({ to: network.core(CORE).host, port: places.udp.port, text: 'all sent' });
    while (!received.some((what) => what.endsWith('all sent'))) await noted.promise;
    await heal();
    await sendAll('healed');
    const arrived = (text: string): string[] => received.filter((what) => what.endsWith(`: ${text}`));
    while (arrived('healed').length < 2 * sides.length) await noted.promise;
    assert.deepEqual(
      received.filter((what) => what.includes('the kernel')),
      [],
    );
    const ways = arrived('healed').map((what) => what.replace('healed', 'cut'));
    return ways.filter((way) => !received.includes(way)).sort();
  }

  it('carries everything between each side and a process', async () => {
    assert.deepEqual(await lostBy(async () => async () => undefined), []);
  });

  it('loses everything, both ways, of a process that is isolated', async () => {
    const all = sides.flatMap((side) => [`core < ${side}: cut`, `${side} < core: cut`]).sort();
    assert.deepEqual(await lostBy(() => network.isolate(CORE)), all);
  });

  it('loses one way between a process and one side, and nothing else', async () => {
    for (const side of sides) {
      assert.deepEqual(await lostBy(() => network.lose(CORE, side, 'to-core')), [`core < ${side}: cut`]);
      assert.deepEqual(await lostBy(() => network.lose(CORE, side, 'from-core')), [`${side} < core: cut`]);
    }
  });

  it('breaks no connection: what is sent during a cut arrives after it', async () => {
    const { port, address } = places.tcp;
    const cuts = [
      () => network.isolate(CORE),
      () => network.lose(CORE, 'data', 'to-core'),
      () => network.lose(CORE, 'data', 'from-core'),
    ];
    for (const cut of cuts) {
      const socket = connect({ host: address, port, localAddress: sideHosts.data });
      await once(socket, 'connect');
      const heal = await cut();
      const late = connect({ host: address, port, localAddress: sideHosts.data });
      const told = Promise.all([once(socket, 'data'), once(late, 'connect')]);
      socket.write('a');
      await heal();
      const [[echo]] = (await told) as [[Buffer], unknown];
      assert.equal(echo.toString(), 'a');
      for (const each of [socket, late]) each.destroy();
    }
  });
});
