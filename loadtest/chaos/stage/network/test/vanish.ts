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
import { DATA_HOST, hostsOf, peerHost, sides } from '../commands.ts';
import { Network } from '../network.ts';

const CORE = 1;
const OTHER = 2;
const CORES = 2;
const hosts = sides.flatMap((side) => hostsOf(side, CORES));

describe('the network', () => {
  let network: Network;
  let core: ChildProcess;
  let places: { tcp: AddressInfo; udp: AddressInfo };
  /** What the process has received, and what each address on the bridge has. */
  const received: string[] = [];
  const sockets = new Map<string, Socket>();

  before(async () => {
    network = await Network.open(CORES);
    const { host, within } = network.core(CORE);
    const [command = '', ...args] = [...within, process.execPath, join(import.meta.dirname, 'peer.ts'), host];
    core = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    [places] = (await once(core, 'message')) as [typeof places];
    core.on('message', ({ from, text }: { from: string; text: string }) => note(`core < ${from}: ${text}`));
    for (const host of hosts) {
      const socket = createSocket('udp4', (text) => note(`${host} < core: ${text}`));
      socket.bind(0, host);
      await once(socket, 'listening');
      sockets.set(host, socket);
    }
  });
  after(async () => {
    for (const socket of sockets.values()) socket.close();
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

  /** Every way once; which of them the kernel refuses to send would be thrown. */
  async function sendAll(text: string): Promise<void> {
    for (const [host, socket] of sockets) {
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
        socket.send(text, places.udp.port, places.udp.address, done);
      });
      core.send({ to: host, port: socket.address().port, text });
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
    while (arrived('healed').length < 2 * hosts.length) await noted.promise;
    assert.deepEqual(
      received.filter((what) => what.includes('the kernel')),
      [],
    );
    const ways = arrived('healed').map((what) => what.replace('healed', 'cut'));
    return ways.filter((way) => !received.includes(way)).sort();
  }

  const toCore = (host: string): string => `core < ${host}: cut`;
  const fromCore = (host: string): string => `${host} < core: cut`;

  it('carries everything between each side and a process', async () => {
    assert.deepEqual(await lostBy(async () => async () => undefined), []);
  });

  it('loses everything, both ways, of a process that is isolated', async () => {
    const all = hosts.flatMap((host) => [toCore(host), fromCore(host)]).sort();
    assert.deepEqual(await lostBy(() => network.isolate(CORE)), all);
  });

  it('loses one way between a process and one side, and nothing else', async () => {
    for (const side of sides) {
      const of = hostsOf(side, CORES);
      assert.deepEqual(await lostBy(() => network.lose(CORE, side, 'to-core')), of.map(toCore).sort());
      assert.deepEqual(await lostBy(() => network.lose(CORE, side, 'from-core')), of.map(fromCore).sort());
    }
  });

  it('loses what one process says to another and is told in return, and nothing else', async () => {
    const between = [toCore(peerHost(OTHER)), fromCore(peerHost(OTHER))].sort();
    assert.deepEqual(await lostBy(() => network.part(CORE, OTHER)), between);
    assert.deepEqual(await lostBy(() => network.part(OTHER, CORE)), []);
  });

  it('breaks no connection: what is sent during a cut arrives after it', async () => {
    const { port, address } = places.tcp;
    const cuts = [
      () => network.isolate(CORE),
      () => network.lose(CORE, 'data', 'to-core'),
      () => network.lose(CORE, 'data', 'from-core'),
    ];
    for (const cut of cuts) {
      const socket = connect({ host: address, port, localAddress: DATA_HOST });
      await once(socket, 'connect');
      const heal = await cut();
      const late = connect({ host: address, port, localAddress: DATA_HOST });
      const told = Promise.all([once(socket, 'data'), once(late, 'connect')]);
      socket.write('a');
      await heal();
      const [[echo]] = (await told) as [[Buffer], unknown];
      assert.equal(echo.toString(), 'a');
      for (const each of [socket, late]) each.destroy();
    }
  });
});
