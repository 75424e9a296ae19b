/** Answers that are sent while they are made, over real sockets: no faster than the client takes them, and never for nobody. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { limits as wire } from '@local-plus/contracts';
import { limits } from '../../limits.ts';
import { RawConnection, startServer, type TestServer } from '../../test/http.ts';
import { assertProblem, eventually, merchantCaller, signingKey } from '../../test/stack.ts';
import { type AnswerSource, type CoreRequest, type StreamedAnswer, signHeaders } from './index.ts';

const target = '/v1/transactions/bulk';
const mediaType = 'application/x-ndjson';
const caller = merchantCaller(randomUUID());
const LARGE_MAX = 3;

/** A source of what the test says, that counts what it is asked. */
class Source implements AnswerSource {
  asked = 0;
  stops = 0;
  /** What `stop` waits for. */
  lastWork: Promise<void> = Promise.resolve();
  readonly #make: (place: number) => Promise<string | null>;

  constructor(make: (place: number) => Promise<string | null>) {
    this.#make = make;
  }

  next(): Promise<string | null> {
    return this.#make(this.asked++);
  }

  async stop(): Promise<void> {
    this.stops++;
    await this.lastWork;
  }
}

function sourceOf(pieces: readonly string[]): Source {
  return new Source(async (place) => pieces[place] ?? null);
}

describe('streamed answers', () => {
  let core: TestServer;
  let requests: CoreRequest<'transactions.bulk'>[] = [];
  let answer: () => StreamedAnswer | Promise<StreamedAnswer>;

  before(async () => {
    const handlers = {
      'transactions.bulk': (request: CoreRequest<'transactions.bulk'>) => {
        requests.push(request);
        return answer();
      },
    };
    core = await startServer(handlers, { limits: { ...limits, largeRequestsInFlightMax: LARGE_MAX } });
  });
  after(() => core.server.stop());
  beforeEach(() => {
    requests = [];
  });

  function streamed(source: AnswerSource, endsInMs = 60_000): StreamedAnswer {
    return { mediaType, source, endsMs: performance.now() + endsInMs };
  }

  function post(body: string | Buffer): Promise<Response> {
    const signed = signHeaders(signingKey, { method: 'POST', target, body, context: caller });
    const headers = { ...signed, 'content-type': mediaType };
    return fetch(core.client.origin + target, { method: 'POST', headers, body });
  }

  function bytes(body: Buffer, framing: string): string {
    const signed = signHeaders(signingKey, { method: 'POST', target, body, context: caller });
    const lines = Object.entries({ ...signed, host: 'core', 'content-type': mediaType });
    return `POST ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}${framing}\r\n`;
  }

  async function begun(body = Buffer.from('1')): Promise<RawConnection> {
    const connection = await new RawConnection(core.port).open();
    return connection.send(`${bytes(body, `content-length: ${body.length}\r\n`)}${body.toString('latin1')}`);
  }

  async function idle(): Promise<void> {
    await eventually('nothing is in flight', async () => (await core.metric('http_requests_in_flight')) === 0);
  }

  it('arrive in pieces, and the connection goes on', async () => {
    answer = () => streamed(sourceOf(['{"a":1}\n', '{"b":"ä"}\n', `${'x'.repeat(300_000)}\n`]));
    for (let turn = 0; turn < 3; turn++) {
      const response = await post('{}\n');
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, mediaType]);
      assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
      assert.equal(await response.text(), `{"a":1}\n{"b":"ä"}\n${'x'.repeat(300_000)}\n`);
    }
    await idle();
  });

  it('reach the client before the last piece is made', async () => {
    const gate = Promise.withResolvers<string | null>();
    answer = () => streamed(new Source(async (place) => (place === 0 ? 'first\n' : place === 1 ? gate.promise : null)));
    const reader = (await post('{}')).body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader?.read())?.value, 'first\n');
    gate.resolve('last\n');
    assert.equal((await reader?.read())?.value, 'last\n');
    assert.equal((await reader?.read())?.done, true);
  });

  it('wait for a client that does not read, and go on when it does', async () => {
    const piece = `${'y'.repeat(65_535)}\n`;
    const count = 1_000;
    const source = new Source(async (place) => (place < count ? piece : null));
    answer = () => streamed(source);
    const connection = await new RawConnection(core.port).open();
    connection.socket.pause();
    connection.send(`${bytes(Buffer.from('1'), 'content-length: 1\r\n')}1`);
    await eventually('it is asked', () => source.asked > 0);
    await eventually('nothing more is made', async () => {
      const asked = source.asked;
      await pause(200);
      return source.asked === asked;
    });
    assert.ok(source.asked < count / 2, `${source.asked} pieces for a client that reads nothing`);
    connection.socket.resume();
    await eventually('all is there', () => connection.received.length > count * piece.length);
    assert.equal(source.stops, 0);
    connection.socket.destroy();
    await idle();
  });

  it('stop with their client, and count as work until what was begun is done', async () => {
    const gate = Promise.withResolvers<void>();
    const source = new Source(() => new Promise((resolve) => setTimeout(() => resolve('line\n'), 5)));
    source.lastWork = gate.promise;
    answer = () => streamed(source);
    const connection = await begun();
    await eventually('it is streaming', () => connection.received.includes('line'));
    connection.socket.resetAndDestroy();
    await eventually('it is stopped', () => source.stops === 1);
    const asked = source.asked;
    await pause(50);
    assert.equal(source.asked, asked);
    assert.equal(await core.metric('http_requests_in_flight'), 1);
    gate.resolve();
    await idle();
    assert.equal(source.stops, 1);
  });

  it('are not begun for a client that left while its request was handled', async () => {
    const gate = Promise.withResolvers<StreamedAnswer>();
    const source = sourceOf(['line\n']);
    answer = () => gate.promise;
    const connection = await begun();
    await eventually('it is handled', () => requests.length === 1);
    connection.socket.resetAndDestroy();
    const aborted = 'http_requests_aborted_total{route="transactions.bulk"}';
    await eventually('the server knows', async () => (await core.metric(aborted)) >= 2);
    gate.resolve(streamed(source));
    await idle();
    assert.deepEqual([source.asked, source.stops], [0, 1]);
  });

  it('that break off end the connection, so that the client sees it', async () => {
    for (const fault of [new Error('a bug'), null]) {
      const source = new Source(async (place) => {
        if (place === 0) return 'line\n';
        await new Promise((resolve) => setTimeout(resolve, fault === null ? 60_000 : 20).unref());
        throw fault;
      });
      answer = () => streamed(source, 150);
      const connection = await begun();
      await eventually('it is closed', () => connection.isClosed);
      assert.match(connection.received, /5\r\nline\n$/);
      assert.equal(source.stops, 1);
      await idle();
    }
  });

  it('are of requests whose body may be large, of which there are only so many', async () => {
    const gate = Promise.withResolvers<StreamedAnswer>();
    answer = () => gate.promise;
    const waiting = Array.from({ length: LARGE_MAX }, () => post('{}'));
    await eventually('they are handled', () => requests.length === LARGE_MAX);
    const refused = await post('{}');
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    gate.resolve(streamed(sourceOf([])));
    for (const response of await Promise.all(waiting))
      assert.deepEqual([response.status, await response.text()], [200, '']);
    await idle();
    answer = () => streamed(sourceOf([]));
    assert.equal((await post('{}')).status, 200);
  });

  it('come of lines, whatever pieces the body comes in', async () => {
    answer = () => streamed(sourceOf([]));
    const body = Buffer.from('{"a":"äöü"}\r\n{"b":"€"}\n');
    const cases = [body.map((_, at) => at), [2, 7, 8, 13]];
    for (const cuts of cases) {
      const connection = await new RawConnection(core.port).open();
      connection.send(bytes(body, 'transfer-encoding: chunked\r\n'));
      let at = 0;
      for (const cut of [...cuts, body.length]) {
        if (cut === at) continue;
        connection.send(`${(cut - at).toString(16)}\r\n${body.subarray(at, cut).toString('latin1')}\r\n`);
        at = cut;
        await new Promise((resolve) => setImmediate(resolve));
      }
      connection.send('0\r\n\r\n');
      await eventually('there is an answer', () => connection.statuses.length === 1);
      assert.deepEqual(requests.at(-1)?.body, ['{"a":"äöü"}', '{"b":"€"}']);
      connection.socket.destroy();
    }
  });

  it('are not of a body past its bounds', async () => {
    const line = `${'x'.repeat(1_023)}\n`;
    answer = () => streamed(sourceOf([]));
    const most = await post(line.repeat(wire.bulkBytesMax / line.length));
    assert.equal(most.status, 200);
    const refused = await core.client.send('POST', target, {
      caller,
      body: `${line.repeat(wire.bulkBytesMax / line.length)}1`,
      headers: { 'content-type': mediaType },
    });
    assertProblem(refused, 413, 'payload_too_large');
    assert.equal(requests.length, 1);
    await idle();
  });

  it('know how long their request may take', async () => {
    answer = () => streamed(sourceOf([]));
    const context = { ...caller, budgetMs: 100_000 };
    await core.client.send('POST', target, { caller: context, body: '1', headers: { 'content-type': mediaType } });
    const leftMs = (requests[0]?.deadlineMs ?? 0) - performance.now();
    assert.ok(leftMs > wire.requestBudgetMs && leftMs <= wire.bulkBudgetMs, `${leftMs} ms left`);
  });
});
