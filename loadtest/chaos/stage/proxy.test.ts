/** Each manner of the proxy, before a server that answers every line with itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LinkProxy } from './proxy.ts';

describe('a link', () => {
  const received: string[] = [];
  const open = new Set<Socket>();
  let server: Server;
  let proxy: LinkProxy;

  before(async () => {
    server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        received.push(bytes.toString());
        socket.write(`echo ${bytes}`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = new LinkProxy((server.address() as AddressInfo).port);
    await proxy.listen();
  });
  beforeEach(() => {
    proxy.set({ kind: 'pass' });
    received.splice(0);
  });
  after(async () => {
    await proxy.close();
    for (const socket of open) socket.destroy();
    server.close();
  });

  /** What arrives, until it says `expected`; how the connection ended, if it did. */
  async function dial(): Promise<{
    socket: Socket;
    text: () => string;
    until: (expected: string) => Promise<void>;
    ended: Promise<string>;
  }> {
    const socket = connect({ host: '127.0.0.1', port: proxy.port });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    const ended = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.on('close', () => resolve('closed'));
    });
    await once(socket, 'connect');
    const until = async (expected: string): Promise<void> => {
      while (text !== expected) await once(socket, 'data');
    };
    return { socket, text: () => text, until, ended };
  }

  it('passes', async () => {
    const { socket, until } = await dial();
    socket.write('one');
    await until('echo one');
    socket.destroy();
  });

  it('holds both ways, and passes what was held when it is over', async () => {
    const { socket, until, text } = await dial();
    socket.write('one');
    await until('echo one');
    proxy.set({ kind: 'hold' });
    socket.write('two');
    await delay(100);
    assert.deepEqual([received, text()], [['one'], 'echo one']);
    proxy.set({ kind: 'pass' });
    await until('echo oneecho two');
    socket.destroy();
  });

  it('holds the replies only', async () => {
    const { socket, text, ended } = await dial();
    proxy.set({ kind: 'hold-replies' });
    socket.write('one');
    while (received.length === 0) await delay(5);
    await delay(50);
    assert.equal(text(), '');
    proxy.reset();
    assert.equal(await ended, 'ECONNRESET');
    proxy.set({ kind: 'pass' });
    const next = await dial();
    next.socket.write('two');
    await next.until('echo two');
    next.socket.destroy();
  });

  it('cuts a reply in the middle', async () => {
    const { socket, text, ended } = await dial();
    proxy.set({ kind: 'cut', way: 'replies', afterBytes: 4 });
    socket.write('one');
    await ended;
    assert.deepEqual(received, ['one']);
    assert.ok('echo'.startsWith(text()));
  });

  it('cuts a request in the middle: the server has what came before', async () => {
    const { socket, ended } = await dial();
    proxy.set({ kind: 'cut', way: 'requests', afterBytes: 2 });
    socket.write('one');
    await ended;
    while (received.length === 0) await delay(5);
    assert.deepEqual(received, ['on']);
  });

  it('delays and throttles without losing or reordering anything', async () => {
    const { socket, text } = await dial();
    // How the bytes are cut into pieces is the machine's business: each piece is answered as it came.
    const untilAnswered = async (sent: string): Promise<void> => {
      const answers = (): string => received.map((piece) => `echo ${piece}`).join('');
      const isWhole = (): boolean => received.join('').length >= sent.length && text().length >= answers().length;
      while (!isWhole()) await once(socket, 'data');
      assert.deepEqual([received.join(''), text()], [sent, answers()]);
    };
    proxy.set({ kind: 'delay', ms: 20 });
    for (const word of ['a', 'b']) {
      socket.write(word);
      await delay(60);
    }
    await untilAnswered('ab');
    proxy.set({ kind: 'throttle', bytesPerS: 200 });
    socket.write('0123456789');
    await untilAnswered('ab0123456789');
    socket.destroy();
  });

  it('tells the server when a client leaves', async () => {
    const before = open.size;
    const { socket } = await dial();
    socket.write('one');
    while (received.length === 0) await delay(5);
    const ofClient = [...open].at(-1);
    assert.ok(ofClient && open.size === before + 1);
    const closed = once(ofClient, 'close');
    socket.destroy();
    await closed;
  });
});
