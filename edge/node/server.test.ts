/** The Node server around an edge that the test makes up: bounds, time-outs, streams, clients that leave, stopping. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import type { Edge, Trouble } from '../index.ts';
import { eventually } from '../test/eventually.ts';
import type { NodeBounds } from './limits.ts';
import { type EdgeServer, serveEdge, serveMetrics } from './server.ts';

const servers: EdgeServer[] = [];
const troubles: Trouble[] = [];
afterEach(() => {
  troubles.length = 0;
});
after(() => Promise.all(servers.map((server) => server.stop())));

async function serve(edge: Edge, bounds: Partial<NodeBounds> = {}, clientAddressHeader: string | null = null) {
  const server = await serveEdge({
    edge,
    config: { clientAddressHeader, metricsPort: null },
    host: '127.0.0.1',
    port: 0,
    report: (trouble) => troubles.push(trouble),
    nowMs: Date.now,
    bounds: { stopMs: 1_000, ...bounds },
  });
  servers.push(server);
  return { server, url: `http://127.0.0.1:${server.port}`, port: server.port };
}

/** A connection, all that came over it, and its end. */
function dial(port: number): { socket: Socket; text: () => string; ended: Promise<void> } {
  let text = '';
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, text: () => text, ended };
}

const echo: Edge = async ({ body }) => new Response(body);
const hello: Edge = async () => new Response('hello');

describe('a request on Node', () => {
  it('arrives as it stood on the wire: target, headers that came twice, the address', async () => {
    const seen: unknown[] = [];
    const { port } = await serve(async (request, { target, clientAddress }) => {
      seen.push(target, request.headers.get('authorization'), clientAddress);
      return new Response(null, { status: 204 });
    });
    const { socket, text } = dial(port);
    socket.write('GET /a/../%62"?x HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nAuthorization: c\r\n\r\n');
    await eventually('an answer', async () => text().startsWith('HTTP/1.1 204'));
    assert.deepEqual(seen, ['/a/../%62"?x', 'b, c', '127.0.0.1']);
    socket.destroy();
  });

  it('has the address of the trusted header; without it the connection’s; of two, none', async () => {
    const { url, port } = await serve(async (_, { clientAddress }) => new Response(clientAddress), {}, 'x-real-ip');
    assert.equal(await (await fetch(url, { headers: { 'x-real-ip': '192.0.2.9' } })).text(), '192.0.2.9');
    assert.equal(await (await fetch(url)).text(), '127.0.0.1');
    const { socket, text } = dial(port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 192.0.2.1\r\nX-Real-IP: 192.0.2.2\r\n\r\n');
    await eventually('an answer', async () => text().includes('192.0.2.1, 192.0.2.2'));
    socket.destroy();
  });

  it('streams both ways, piece by piece', async () => {
    const { url } = await serve(echo);
    const pieces = ['one', 'two', 'three'];
    const body = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    });
    assert.equal(await (await fetch(url, { method: 'POST', body, duplex: 'half' })).text(), 'onetwothree');
  });

  it('that comes too slowly is told 408, before and within its body', async () => {
    const whole: Edge = async ({ body }) => new Response(await new Response(body).text());
    const { port } = await serve(whole, { headersMs: 200, requestMs: 300, checkEveryMs: 50 });
    for (const start of [
      'GET / HTTP/1.1\r\nHost: a\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
    ]) {
      const { socket, text, ended } = dial(port);
      socket.write(start);
      await ended;
      assert.match(text(), /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
    }
  });

  it('with headers too large is told 431 as a problem document', async () => {
    const { port } = await serve(hello);
    const { socket, text, ended } = dial(port);
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`);
    await ended;
    assert.match(text(), /^HTTP\/1\.1 431 [\s\S]*application\/problem\+json[\s\S]*"code":"headers_too_large"/);
  });

  it('gets no answer that belongs to the bytes behind it (N3)', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { port } = await serve(async () => {
      await promise;
      return new Response('late');
    });
    const { socket, text, ended } = dial(port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\nno HTTP at all\r\n\r\n');
    await ended;
    assert.equal(text(), '');
    resolve();
  });
});

describe('an answer on Node', () => {
  it('reaches a client that is still sending, and then the connection ends', async () => {
    const { port } = await serve(async () => new Response('enough', { status: 413 }));
    const { socket, text, ended } = dial(port);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
    const timer = setInterval(() => socket.write('a'.repeat(10_000)), 5);
    await ended;
    clearInterval(timer);
    assert.match(text(), /^HTTP\/1\.1 413 [\s\S]*enough/);
  });

  it('leaves the connection usable when the rest of the body comes', async () => {
    const { port } = await serve(async ({ body }) => {
      const reader = body?.getReader();
      await reader?.read();
      await reader?.cancel();
      return new Response('enough');
    });
    const { socket, text } = dial(port);
    for (const times of [1, 2]) {
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
      await eventually('an answer', async () => text().split('enough').length === times + 1);
      socket.write('def');
    }
    socket.destroy();
  });

  it('is made no faster than its client reads', async () => {
    let madeCount = 0;
    const { port } = await serve(async () => {
      const pull = (controller: ReadableStreamDefaultController) => {
        madeCount++;
        controller.enqueue(new Uint8Array(65_536));
      };
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
    });
    const { socket, ended } = dial(port);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let before = -1;
    await eventually('nothing more is made', async () => {
      const isStill = madeCount > 0 && madeCount === before;
      before = madeCount;
      return isStill;
    });
    assert.ok(madeCount < 500, `${madeCount} pieces of 64 KiB`);
    socket.destroy();
    await ended;
  });

  it('is given up when its client leaves, and that is no trouble', async () => {
    let isCancelled = false;
    const { port } = await serve(async () => {
      const source = {
        start: (controller: ReadableStreamDefaultController) => controller.enqueue(new Uint8Array(10)),
        cancel: () => {
          isCancelled = true;
        },
      };
      return new Response(new ReadableStream(source));
    });
    const { socket, text } = dial(port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually('a piece', async () => text() !== '');
    socket.destroy();
    await eventually('the source is told', async () => isCancelled);
    assert.deepEqual(troubles, []);
  });

  it('that breaks off ends the connection, and is told of', async () => {
    const { url } = await serve(async () => {
      const pull = (controller: ReadableStreamDefaultController) => controller.error(new Error('away'));
      return new Response(new ReadableStream({ pull }));
    });
    await assert.rejects(async () => (await fetch(url)).text());
    assert.deepEqual(troubles, ['origin_away']);
  });
});

describe('a server on Node that stops', () => {
  it('finishes what it has begun, and the work behind it; takes nothing new', async () => {
    const answering = Promise.withResolvers<void>();
    const behind = Promise.withResolvers<void>();
    let isStarted = false;
    const { server, url } = await serve(async (_, { waitUntil }) => {
      isStarted = true;
      waitUntil(behind.promise);
      await answering.promise;
      return new Response('done');
    });
    const asked = fetch(url);
    await eventually('it is under way', async () => isStarted);
    let isStopped = false;
    const stopped = server.stop().then(() => {
      isStopped = true;
    });
    await assert.rejects(fetch(url));
    answering.resolve();
    assert.equal(await (await asked).text(), 'done');
    assert.equal(isStopped, false);
    behind.resolve();
    await stopped;
  });

  it('does not wait for ever', async () => {
    const started = Promise.withResolvers<void>();
    const hangs: Edge = () => {
      started.resolve();
      return new Promise(() => undefined);
    };
    const { server, url } = await serve(hangs, { stopMs: 100 });
    const asked = assert.rejects(fetch(url));
    await started.promise;
    await server.stop();
    await asked;
  });
});

describe('the metrics on Node', () => {
  it('are told at their path, and nothing else is', async () => {
    const server = await serveMetrics(0, () => 'edge 1\n');
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}`;
    const answer = await fetch(`${url}/metrics`);
    assert.deepEqual(
      [answer.headers.get('content-type')?.slice(0, 10), await answer.text()],
      ['text/plain', 'edge 1\n'],
    );
    assert.equal((await fetch(url)).status, 404);
    assert.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 404);
    server.close();
    server.closeAllConnections();
  });
});
