import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bodyRules, limits, wallets } from '@local-plus/contracts';
import { earn, exchangeOf, steadyStartMs } from '../test/stage.ts';
import { BrokenBody, LateBody, readBody, readBounded } from './body.ts';
import { type Answer, Exchange } from './exchange.ts';

function streamOf(...chunks: Uint8Array[]): ReadableStream & { readonly pulled: () => number } {
  let pulled = 0;
  const stream = new ReadableStream(
    {
      pull(controller) {
        const chunk = chunks[pulled++];
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return Object.assign(stream, { pulled: () => pulled });
}

describe('a bounded read', () => {
  it('gives what came, joined', async () => {
    const read = await readBounded(streamOf(Uint8Array.of(1, 2), Uint8Array.of(3)), 3);
    assert.deepEqual([...(read ?? [])], [1, 2, 3]);
    assert.equal((await readBounded(null, 3))?.length, 0);
    assert.equal((await readBounded(streamOf(), 3))?.length, 0);
  });

  it('asks for no more once it has what was declared', async () => {
    const declared = streamOf(Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4));
    assert.deepEqual([...((await readBounded(declared, 9, 3)) ?? [])], [1, 2, 3]);
    assert.equal(declared.pulled(), 2);
    const short = streamOf(Uint8Array.of(1));
    assert.deepEqual([...((await readBounded(short, 9, 3)) ?? [])], [1]);
  });

  it('stops reading as soon as it is too much, however much would follow', async () => {
    const endless = streamOf(...Array.from({ length: 1_000 }, () => new Uint8Array(10)));
    assert.equal(await readBounded(endless, 25), null);
    assert.ok(endless.pulled() <= 4);
  });

  it('is given up in time, and the stream is told', async () => {
    let isCancelled = false;
    const stalled = new ReadableStream({
      start: (controller) => controller.enqueue(Uint8Array.of(1)),
      cancel: () => {
        isCancelled = true;
      },
    });
    await assert.rejects(readBounded(stalled, 9, 5, 10), LateBody);
    assert.ok(isCancelled);
  });
});

async function told(step: ReturnType<typeof readBody>, init: RequestInit): Promise<[Answer | undefined, string]> {
  const answer = await step(exchangeOf('/v1', { method: 'POST', ...init }));
  return [answer, answer ? `${answer.status} ${(JSON.parse(answer.body as string) as { code: string }).code}` : 'ok'];
}

describe('a body', () => {
  const post = readBody({ body: wallets.post }, () => steadyStartMs);

  it('goes on as the bytes that came', async () => {
    const bytes = new TextEncoder().encode(' { "amount" : 5 , "reference":"\\u00e9" } ');
    const exchange = exchangeOf('/v1', { method: 'POST', body: bytes });
    assert.equal(await post(exchange), undefined);
    assert.deepEqual(exchange.body, bytes);
  });

  const bad: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, string])[] = [
    ['nothing', '', '400 invalid_json'],
    ['malformed JSON', '{"amount":5', '400 invalid_json'],
    ['a duplicate member', '{"amount":5,"amount":6}', '400 invalid_json'],
    ['__proto__', '{"amount":5,"__proto__":{}}', '400 invalid_json'],
    ['2^53 + 1', '{"amount":9007199254740993}', '400 invalid_json'],
    ['1e400', '{"amount":1e400}', '400 invalid_json'],
    ['NaN', '{"amount":NaN}', '400 invalid_json'],
    ['−0', '{"amount":-0}', '400 invalid_json'],
    ['invalid UTF-8', Uint8Array.of(0x22, 0xff, 0x22), '400 invalid_json'],
    ['0', '{"amount":0}', '400 invalid_request'],
    ['a text', '{"amount":"5"}', '400 invalid_request'],
    ['an unknown member', '{"amount":5,"x":1}', '400 invalid_request'],
    ['too many bytes', `{"amount":5,"reference":"${'a'.repeat(limits.bodyBytesMax)}"}`, '413 payload_too_large'],
  ];
  for (const [name, body, expected] of bad) {
    it(`of ${name}: ${expected}`, async () => assert.equal((await told(post, { body }))[1], expected));
  }

  it('is bounded whatever its Content-Length says', async () => {
    const body = `{"amount":5,"reference":"${'a'.repeat(limits.bodyBytesMax)}"}`;
    assert.equal((await told(post, earn(body, { 'content-length': '12' })))[1], '413 payload_too_large');
  });

  it('is pointed into', async () => {
    const [answer] = await told(post, { body: '{"amount":1.5}' });
    const { errors } = JSON.parse(answer?.body as string) as { errors: { pointer: string }[] };
    assert.equal(errors[0]?.pointer, '/amount');
  });

  it('must not be there where the route has none', async () => {
    const bare = readBody({ body: null }, () => steadyStartMs);
    assert.equal((await told(bare, {}))[1], 'ok');
    assert.equal((await told(bare, { body: '{}' }))[1], '400 invalid_request');
  });
});

describe('a body of declared length', () => {
  const post = readBody({ body: wallets.post }, () => steadyStartMs);
  const text = '{"amount":5}';

  /** A request whose platform reads the body in one go, or whose stream does not end. */
  function exchangeWith(headers: Record<string, string>, arrayBuffer: () => Promise<ArrayBuffer>): Exchange {
    const { request, info, ...found } = exchangeOf('/v1', { method: 'POST', headers });
    const { method, url } = request;
    return new Exchange({ method, url, headers: request.headers, body: streamOf(), arrayBuffer }, info, found);
  }

  it('is read by the platform, and goes on as the bytes that came', async () => {
    const bytes = new TextEncoder().encode(text);
    const exchange = exchangeWith({ 'content-length': '12' }, async () => bytes.buffer);
    assert.equal(await post(exchange), undefined);
    assert.deepEqual(exchange.body, bytes);
  });

  it('is not asked for in one go when it comes in chunks', async () => {
    const exchange = exchangeWith({}, () => assert.fail('nobody knows how long it is'));
    assert.equal((await post(exchange))?.status, 400);
  });

  it('is broken when the platform says so', async () => {
    const exchange = exchangeWith({ 'content-length': '50' }, async () => {
      throw new TypeError('ended before its end');
    });
    await assert.rejects(async () => post(exchange), BrokenBody);
  });

  it('is late once there is no time left to forward it', async () => {
    const late = readBody({ body: wallets.post }, () => steadyStartMs + bodyRules.json.budgetMs);
    const exchange = exchangeWith({ 'content-length': '12' }, () => new Promise(() => undefined));
    await assert.rejects(async () => late(exchange), LateBody);
  });
});
