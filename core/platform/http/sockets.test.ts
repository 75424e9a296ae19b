/** Hostile and broken connections, byte by byte: the server answers or closes, and goes on. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { limits as wire } from '@local-plus/contracts';
import { RawConnection, startServer, type TestServer } from '../../test/http.ts';
import { eventually, merchantCaller, signingKey } from '../../test/stack.ts';
import { signHeaders } from './index.ts';

const earnTarget = '/v1/wallets/01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b/earn';
const caller = merchantCaller(randomUUID());
const body = '{"amount":5}';

describe('connections', () => {
  let core: TestServer;
  let handled = 0;
  let handle: () => Promise<{ status: number; body: string }>;
  const done = () => Promise.resolve({ status: 201, body: '{}' });

  before(async () => {
    const count = () => {
      handled++;
      return handle();
    };
    core = await startServer({ 'wallets.earn': count, 'catalog.list': count });
  });
  after(() => core.server.stop());
  beforeEach(() => {
    handled = 0;
    handle = done;
  });

  function open(): Promise<RawConnection> {
    return new RawConnection(core.port).open();
  }

  /** The head of a signed POST, without its end; `sized` false: no length is told. */
  function head(of: string = body, framing: string = `content-length: ${of.length}\r\n`): string {
    const key = randomUUID();
    const signed = signHeaders(signingKey, {
      method: 'POST',
      target: earnTarget,
      body: of,
      idempotencyKey: key,
      context: caller,
    });
    const headers = { ...signed, host: 'core', 'content-type': 'application/json', 'idempotency-key': key };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `POST ${earnTarget} HTTP/1.1\r\n${lines.join('')}${framing}\r\n`;
  }

  async function answered(connection: RawConnection, count = 1): Promise<number[]> {
    await eventually('there is an answer', () => connection.statuses.length >= count || connection.isClosed);
    return connection.statuses;
  }

  async function idle(): Promise<void> {
    await eventually('nothing is in flight', async () => (await core.metric('http_requests_in_flight')) === 0);
    assert.equal((await core.client.get('/healthz')).status, 200);
  }

  it('takes a body in one piece, in many, and in chunks', async () => {
    const connection = await open();
    connection.send(head() + body);
    assert.deepEqual(await answered(connection), [201]);
    connection.send(head());
    for (const letter of body) {
      connection.send(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await answered(connection, 2), [201, 201]);
    connection.send(`${head(body, 'transfer-encoding: chunked\r\n')}3\r\n{"a\r\n9\r\nmount":5}\r\n0\r\n\r\n`);
    assert.deepEqual(await answered(connection, 3), [201, 201, 201]);
    assert.equal(handled, 3);
    connection.socket.destroy();
  });

  it('calls nobody for a request that is not whole', async () => {
    for (const part of ['POST ', head().slice(0, 60), head(), head() + body.slice(0, 4)]) {
      const connection = await open();
      connection.send(part);
      await pause(20);
      connection.socket.destroy();
    }
    const ended = await open();
    ended.send(head() + body.slice(0, 4));
    ended.socket.end();
    await eventually('the half-closed connection is closed', () => ended.isClosed);
    await idle();
    assert.equal(handled, 0);
  });

  it('lets a handler finish whose client has left, and drops the answer', async () => {
    const gate = Promise.withResolvers<void>();
    let finished = 0;
    handle = async () => {
      await gate.promise;
      finished++;
      return { status: 201, body: '{}' };
    };
    const connections = await Promise.all(Array.from({ length: 20 }, open));
    for (const connection of connections) connection.send(head() + body);
    await eventually('all are handled', () => handled === 20);
    for (const connection of connections) connection.socket.resetAndDestroy();
    await eventually('the server knows', async () => {
      return (await core.metric('http_requests_aborted_total{route="wallets.earn"}')) >= 20;
    });
    assert.equal(await core.metric('http_requests_in_flight'), 20, 'work counts until it is done');
    gate.resolve();
    await idle();
    assert.equal(finished, 20);
  });

  it('survives clients that leave at the moment of their answer', async () => {
    handle = () => new Promise((resolve) => setImmediate(() => resolve({ status: 201, body: '{}' })));
    for (let turn = 0; turn < 100; turn++) {
      const connection = await open();
      connection.send(head() + body);
      if (turn % 2 === 0) setImmediate(() => connection.socket.resetAndDestroy());
      else connection.socket.destroy();
    }
    await idle();
  });

  it('refuses a body past its bound with 413 and closes, told or found out', async () => {
    const told = await open();
    told.send(head('x', `content-length: ${wire.bodyBytesMax + 1}\r\n`));
    assert.deepEqual(await answered(told), [413]);
    await eventually('it is closed', () => told.isClosed);

    const found = await open();
    found.send(head('x', 'transfer-encoding: chunked\r\n'));
    for (let chunk = 0; chunk < 20 && !found.isClosed; chunk++) found.send(`400\r\n${'x'.repeat(1_024)}\r\n`);
    assert.deepEqual(await answered(found), [413]);
    await eventually('it is closed', () => found.isClosed);

    const full = `"${'x'.repeat(wire.bodyBytesMax - 2)}"`;
    const largest = await open();
    largest.send(head(full) + full);
    assert.deepEqual(await answered(largest), [400], 'the largest body is read');
    await idle();
    assert.equal(handled, 0);
  });

  it('refuses a message whose length is in doubt, and closes', async () => {
    const doubts = {
      'a length and chunks': `content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n`,
      'another coding': 'transfer-encoding: gzip\r\n',
      'two codings': 'transfer-encoding: gzip, chunked\r\n',
      'a negative length': 'content-length: -5\r\n',
      'a signed length': 'content-length: +12\r\n',
      'a hexadecimal length': 'content-length: 0xc\r\n',
      'a list of lengths': 'content-length: 12, 12\r\n',
      'an endless length': 'content-length: 99999999999999999999\r\n',
    };
    for (const [name, framing] of Object.entries(doubts)) {
      const connection = await open();
      connection.send(head(body, framing) + body);
      assert.deepEqual(await answered(connection), [400], name);
      await eventually(`${name}: it is closed`, () => connection.isClosed);
    }
    const reading = await open();
    reading.send(`GET /v1/catalog HTTP/1.1\r\nhost: core\r\ncontent-length: 2\r\n\r\n{}`);
    assert.deepEqual(await answered(reading), [400], 'a GET with a body');
    await eventually('it is closed', () => reading.isClosed);
    assert.equal(handled, 0);
  });

  it('lets two lengths smuggle nothing: the signature covers the one that counts, and the rest is not signed', async () => {
    const smuggled = `POST ${earnTarget} HTTP/1.1\r\nhost: core\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n`;
    const long = body + smuggled + body;
    for (const framing of [
      `content-length: ${body.length}\r\ncontent-length: ${long.length}\r\n`,
      `content-length: ${long.length}\r\ncontent-length: ${body.length}\r\n`,
    ]) {
      handled = 0;
      const connection = await open();
      connection.send(head(body, framing) + long);
      await answered(connection);
      await idle();
      assert.ok(handled <= 1, 'at most what was signed');
      assert.ok(connection.statuses.every((status) => [201, 400, 401].includes(status)));
      connection.socket.destroy();
    }
  });

  it('takes the target as it was sent, an empty query included', async () => {
    const target = '/v1/catalog?';
    const signed = signHeaders(signingKey, { method: 'GET', target });
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
    const connection = await open();
    connection.send(`GET ${target} HTTP/1.1\r\nhost: core\r\n${lines.join('')}\r\n`);
    assert.deepEqual(await answered(connection), [201]);
    connection.socket.destroy();
  });

  it('closes on what is no HTTP, and on headers without end', async () => {
    for (const text of [
      '\x16\x03\x01\x02\x00\r\n\r\n',
      'GET /\r\n\r\n',
      `GET / HTTP/1.1\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
    ]) {
      const connection = await open();
      connection.send(text);
      await eventually('it is closed', () => connection.isClosed);
    }
    await idle();
  });

  it('keeps one answer at most for who asks on and on without a signature and never reads', async () => {
    const talkative = await startServer({ 'catalog.list': done }, { openapi: JSON.stringify('x'.repeat(100_000)) });
    const asks = {
      'GET /openapi.json': 2_000,
      'GET /v1/catalog': 200_000,
      'HEAD /v1/catalog': 200_000,
      'GET /nowhere': 200_000,
      'GET /healthz': 400_000,
    };
    for (const [ask, askedMax] of Object.entries(asks)) {
      const socket = connect(talkative.port, '127.0.0.1').pause();
      // The reset is what is waited for.
      socket.on('error', () => socket.destroy());
      const asked = askedMax / 100;
      let askedCount = 0;
      await eventually(`${ask}: it is cut off`, () => {
        if (!socket.destroyed && socket.writableLength < 65_536) {
          socket.write(`${ask} HTTP/1.1\r\nhost: core\r\n\r\n`.repeat(asked));
          askedCount += asked;
        }
        return socket.destroyed;
      });
      assert.ok(askedCount <= askedMax, `${ask}: ${askedCount} times`);
    }
    assert.equal((await talkative.client.get('/healthz')).status, 200);
    await talkative.server.stop();
  });

  it('lets a client read one large answer as slowly as it likes, to the last byte', async () => {
    const openapi = JSON.stringify('x'.repeat(20_000_000));
    const talkative = await startServer({}, { openapi });
    const connection = await new RawConnection(talkative.port).open();
    connection.send('GET /openapi.json HTTP/1.1\r\nhost: core\r\n\r\n');
    await eventually('it has begun', () => connection.received.length > 0);
    for (let pauses = 0; pauses < 5; pauses++) {
      connection.socket.pause();
      await pause(20);
      connection.socket.resume();
      await pause(1);
    }
    await eventually(
      'it is whole',
      () => connection.received.endsWith(openapi.slice(-1_000)) && connection.received.length > openapi.length,
    );
    assert.equal(connection.received.slice(-openapi.length), openapi);
    connection.socket.destroy();
    await talkative.server.stop();
  });

  it('holds a client that sends slowly for a bounded time, and holds up nobody', async () => {
    const slow = await open();
    slow.send(head());
    const drip = setInterval(() => slow.send(' '), 1_000);
    assert.equal((await core.client.get('/healthz')).status, 200);
    await eventually('it is cut off', () => slow.isClosed || slow.statuses.length > 0, 60_000);
    clearInterval(drip);
    await idle();
    assert.equal(handled, 0);
  });
});
