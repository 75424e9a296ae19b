/** What the pipeline lets through and what it refuses, in which words: signed requests, good and bad. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type EdgeContext, type ProblemCode, limits as wire } from '@local-plus/contracts';
import { limits } from '../../limits.ts';
import { startServer, type TestServer } from '../../test/http.ts';
import { assertProblem, eventually, merchantCaller, nobody, olderSigningKey, signingKey } from '../../test/stack.ts';
import { type CoreRequest, ProblemError, signHeaders } from './index.ts';

const walletId = '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b';
const earnTarget = `/v1/wallets/${walletId}/earn`;
const caller = merchantCaller(randomUUID());

describe('the HTTP pipeline', () => {
  let core: TestServer;
  let earns: CoreRequest<'wallets.earn'>[] = [];
  let handle: () => Promise<{ status: number; body: string }>;

  before(async () => {
    core = await startServer(
      {
        'wallets.earn': (request) => {
          earns.push(request);
          return handle();
        },
        'wallets.balance': ({ queryValues, query }) => ({ status: 200, body: JSON.stringify({ queryValues, query }) }),
        'catalog.list': ({ queryValues }) => ({ status: 200, body: JSON.stringify(queryValues) }),
        'api_keys.revoke': ({ params, body }) => ({ status: 200, body: JSON.stringify({ params, body }) }),
      },
      {
        explain: (error) => (error instanceof RangeError ? new ProblemError('unavailable', { retryAfterS: 3 }) : null),
      },
    );
  });
  after(() => core.server.stop());

  function earn(body: unknown = { amount: 5 }, more: object = {}) {
    earns = [];
    handle = () => Promise.resolve({ status: 201, body: '{"ok":true}' });
    return core.client.post(earnTarget, body, { caller, ...more });
  }

  it('hands a signed and valid request over, parsed', async () => {
    const requestId = randomUUID();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { 'x-request-id': requestId, traceparent, 'content-type': 'application/json; charset=utf-8' };
    const answer = await earn({ amount: 5, reference: 'ä' }, { key: 'key-1', headers });
    assert.deepEqual([answer.status, answer.text], [201, '{"ok":true}']);
    assert.equal(answer.headers.get('x-request-id'), requestId);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    const [request] = earns;
    assert.ok(request);
    assert.deepEqual(request.body, { amount: 5, reference: 'ä' });
    assert.deepEqual([request.params, request.idempotencyKey, request.requestId], [[walletId], 'key-1', requestId]);
    assert.deepEqual([request.traceparent, request.context.merchantId], [traceparent, caller.merchantId]);
    const leftMs = request.deadlineMs - performance.now();
    assert.ok(leftMs > 0 && leftMs <= wire.requestBudgetMs, `${leftMs} ms left`);
  });

  it('makes up a request id where there is none of the right form, and drops a trace context that is none', async () => {
    await earn({ amount: 1 }, { headers: { 'x-request-id': 'x'.repeat(40), traceparent: '00-zz-11-01' } });
    assert.match(earns[0]?.requestId ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(earns[0]?.traceparent, null);
  });

  const badBodies: readonly [string, string, number, ProblemCode][] = [
    ['malformed', '{"amount":5', 400, 'invalid_json'],
    ['empty', '', 400, 'invalid_json'],
    ['two values', '{"amount":5}{}', 400, 'invalid_json'],
    ['a member twice', '{"amount":5,"amount":6}', 400, 'invalid_json'],
    ['too deep', '['.repeat(40) + ']'.repeat(40), 400, 'invalid_json'],
    ['__proto__', '{"amount":5,"__proto__":{}}', 400, 'invalid_json'],
    ['1e400', '{"amount":1e400}', 400, 'invalid_json'],
    ['2^53 + 1', '{"amount":9007199254740993}', 400, 'invalid_json'],
    ['-0', '{"amount":-0}', 400, 'invalid_json'],
    ['NaN', '{"amount":NaN}', 400, 'invalid_json'],
    ['a lone surrogate', '{"amount":5,"reference":"\\ud800"}', 400, 'invalid_json'],
    ['NUL', '{"amount":5,"reference":"a\\u0000b"}', 400, 'invalid_json'],
    ['an unknown member', '{"amount":5,"currency":"EUR"}', 400, 'invalid_request'],
    ['no member', '{}', 400, 'invalid_request'],
    ['no object', '[5]', 400, 'invalid_request'],
    ['amount 0', '{"amount":0}', 400, 'invalid_request'],
    ['amount -1', '{"amount":-1}', 400, 'invalid_request'],
    ['amount 1.5', '{"amount":1.5}', 400, 'invalid_request'],
    ['amount "5"', '{"amount":"5"}', 400, 'invalid_request'],
    ['amount null', '{"amount":null}', 400, 'invalid_request'],
    ['amount 10^12 + 1', '{"amount":1000000000001}', 400, 'invalid_request'],
    ['a long reference', `{"amount":5,"reference":"${'x'.repeat(141)}"}`, 400, 'invalid_request'],
    ['too large', `{"amount":5,"reference":"${'x'.repeat(wire.bodyBytesMax)}"}`, 413, 'payload_too_large'],
  ];
  for (const [name, body, status, code] of badBodies) {
    it(`refuses a body that is ${name}, and calls nobody`, async () => {
      const problem = assertProblem(await earn(body), status, code);
      assert.equal(problem.errors !== undefined, status === 400, 'says where');
      assert.equal(earns.length, 0);
    });
  }

  it('refuses bytes that are not UTF-8', async () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const key = randomUUID();
    const signed = signHeaders(signingKey, {
      method: 'POST',
      target: earnTarget,
      body,
      idempotencyKey: key,
      context: caller,
    });
    const headers = { ...signed, 'content-type': 'application/json', 'idempotency-key': key };
    const response = await fetch(core.client.origin + earnTarget, { method: 'POST', headers, body });
    const { code, errors } = (await response.json()) as { code: string; errors: { code: string }[] };
    assert.deepEqual([code, errors[0]?.code], ['invalid_json', 'invalid_utf8']);
  });

  it('refuses other media types, and no key, and a key that is none', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', '']) {
      assertProblem(await earn({ amount: 5 }, { headers: { 'content-type': type } }), 415, 'unsupported_media_type');
    }
    assertProblem(await earn({ amount: 5 }, { key: undefined }), 400, 'idempotency_key_missing');
    for (const key of ['with space', 'x'.repeat(256)]) {
      assertProblem(await earn({ amount: 5 }, { key }), 400, 'idempotency_key_invalid');
    }
    assert.equal(earns.length, 0);
  });

  it('believes nothing that is not signed, or signed for something else', async () => {
    const key = randomUUID();
    const body = '{"amount":5}';
    const good = { method: 'POST', target: earnTarget, body, idempotencyKey: key, context: caller };
    const sign = (change: object = {}) => signHeaders(signingKey, { ...good, ...change });
    const strange = { keyId: 'k9', secret: signingKey.secret };
    const forged = { keyId: signingKey.keyId, secret: new Uint8Array(32) };
    const context = (change: Partial<EdgeContext>) => ({ context: { ...caller, ...change } });
    const stolen = sign();
    const raised = stolen['lp-context']?.replace(/;[a-z:,]*$/, ';admin') ?? '';
    const cases: Record<string, Record<string, string>> = {
      'no headers': {},
      'no signature': { 'lp-context': stolen['lp-context'] ?? '' },
      'no context': { 'lp-signature': stolen['lp-signature'] ?? '' },
      'another method': sign({ method: 'PUT' }),
      'another path': sign({ target: earnTarget.replace('earn', 'burn') }),
      'a query': sign({ target: `${earnTarget}?a=b` }),
      'another key': sign({ idempotencyKey: 'other' }),
      'another body': sign({ body: '{"amount":6}' }),
      'a raised scope': { ...stolen, 'lp-context': raised },
      'an unknown signing key': signHeaders(strange, good),
      'a wrong secret': signHeaders(forged, good),
      // By as much again as is allowed: a moment passes until it is read.
      'too old': sign(context({ timeMs: Date.now() - 2 * wire.signatureWindowMs })),
      'too new': sign(context({ timeMs: Date.now() + 2 * wire.signatureWindowMs })),
      'a short signature': { ...stolen, 'lp-signature': 'AAAA' },
      'a strange context': { ...stolen, 'lp-context': 'v2;x' },
    };
    earns = [];
    for (const [name, headers] of Object.entries(cases)) {
      const rest = { 'content-type': 'application/json', 'idempotency-key': key };
      const response = await fetch(core.client.origin + earnTarget, {
        method: 'POST',
        headers: { ...headers, ...rest },
        body,
      });
      assert.equal(response.status, 401, name);
      assert.equal(((await response.json()) as { code: string }).code, 'signature_invalid', name);
    }
    assert.equal(earns.length, 0);
  });

  it('believes a signature once, also of the older key', async () => {
    for (const signer of [signingKey, olderSigningKey]) {
      assert.ok(signer);
      const key = randomUUID();
      const body = '{"amount":5}';
      const signed = signHeaders(signer, {
        method: 'POST',
        target: earnTarget,
        body,
        idempotencyKey: key,
        context: caller,
      });
      const headers = { ...signed, 'content-type': 'application/json', 'idempotency-key': key };
      const statuses: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const response = await fetch(core.client.origin + earnTarget, { method: 'POST', headers, body });
        statuses.push(response.status);
        await response.text();
      }
      assert.deepEqual(statuses, [201, 401, 401]);
    }
    assert.ok((await core.metric('http_signatures_refused_total{reason="replayed"}')) >= 4);
  });

  it('asks for the scope of the route; admin passes, public routes ask for none', async () => {
    assertProblem(await earn({ amount: 5 }, { caller: { ...caller, scopes: ['wallets:read'] } }), 403, 'forbidden');
    assertProblem(await earn({ amount: 5 }, { caller: nobody }), 403, 'forbidden');
    assert.equal((await earn({ amount: 5 }, { caller: { ...caller, scopes: ['admin'] } })).status, 201);
    assert.equal((await core.client.get('/v1/catalog', { caller: nobody })).status, 200);
  });

  it('parses queries by the schema, with defaults, and signs them as sent', async () => {
    const read = async (target: string) => (await core.client.get(target, { caller })).json;
    assert.deepEqual(await read('/v1/catalog'), { limit: 25 });
    assert.deepEqual(await read('/v1/catalog?limit=3&cursor=abc'), { limit: 3, cursor: 'abc' });
    const query = 'as_of=2026-01-01T00%3A00%3A00Z';
    const expected = { queryValues: { as_of: '2026-01-01T00:00:00Z' }, query };
    assert.deepEqual(await read(`/v1/wallets/${walletId}/balance?${query}`), expected);
    const wrong = await core.client.get(`/v1/wallets/${walletId}/balance?as_of=yesterday`, { caller });
    assert.equal(assertProblem(wrong, 400, 'invalid_request').errors?.[0]?.pointer, '?as_of');
    assertProblem(await core.client.post(`${earnTarget}?dry_run=1`, { amount: 5 }, { caller }), 400, 'invalid_request');
  });

  it('knows its routes, and says which methods a path has', async () => {
    const wrongMethod = await core.client.send('GET', earnTarget, { caller });
    assertProblem(wrongMethod, 405, 'method_not_allowed');
    assert.equal(wrongMethod.headers.get('allow'), 'POST');
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      assertProblem(await core.client.send(method, earnTarget, { caller }), 405, 'method_not_allowed');
    }
    for (const target of ['/', '/v1', '/v2/wallets', '/v1//wallets', `${earnTarget}/`, '/v1/wallets//earn', '/admin']) {
      assertProblem(await core.client.get(target, { caller }), 404, 'not_found');
    }
    const long = `/v1/catalog?cursor=${'a'.repeat(wire.targetBytesMax)}`;
    assertProblem(await core.client.get(long, { caller }), 414, 'uri_too_long');
  });

  it('answers HEAD as GET without a body, and goes on with the connection', async () => {
    for (let turn = 0; turn < 3; turn++) {
      const answer = await core.client.send('HEAD', '/v1/catalog', { caller });
      assert.deepEqual([answer.status, answer.text], [200, '']);
      assert.equal(answer.headers.get('content-length'), '12');
      assert.equal((await core.client.get('/v1/catalog', { caller })).text, '{"limit":25}');
    }
  });

  it('takes no body where there is none to take', async () => {
    const target = `/v1/merchants/${walletId}/api-keys/${walletId}/revoke`;
    const admin = { ...caller, scopes: ['admin' as const] };
    const without = await core.client.send('POST', target, { caller: admin, key: 'k' });
    assert.deepEqual(without.json, { params: [walletId, walletId], body: null });
    assertProblem(await core.client.post(target, {}, { caller: admin }), 400, 'invalid_request');
  });

  it('turns refusals, trouble and bugs into problems, and tells nobody what a bug said', async () => {
    const send = (failure: Error) => {
      const answer = earn();
      handle = () => Promise.reject(failure);
      return answer;
    };
    assertProblem(await send(new ProblemError('insufficient_funds', { detail: 'No.' })), 409, 'insufficient_funds');
    const away = await send(new RangeError('postgres://user:secret@host'));
    assertProblem(away, 503, 'unavailable');
    assert.equal(away.headers.get('retry-after'), '3');
    const bug = await send(new TypeError('secret in a bug'));
    assertProblem(bug, 500, 'internal');
    for (const answer of [away, bug]) assert.ok(!answer.text.includes('secret'));
  });

  it('does not begin what is too late', async () => {
    assertProblem(await earn({ amount: 5 }, { caller: { ...caller, budgetMs: 0 } }), 503, 'deadline_exceeded');
    assert.equal(earns.length, 0);
  });

  it('counts by route and status', async () => {
    await earn();
    assert.ok((await core.metric('http_requests_total{route="wallets.earn",status="201"}')) > 0);
    assert.ok((await core.metric('http_request_duration_seconds_count{route="wallets.earn"}')) > 0);
    assert.equal(await core.metric('http_requests_in_flight'), 0);
  });
});

describe('the HTTP server under load and at its end', () => {
  it('refuses at its bound with 429, and lets in again', async () => {
    const gate = Promise.withResolvers<void>();
    const held = await startServer(
      { 'catalog.list': async () => gate.promise.then(() => ({ status: 200, body: '{}' })) },
      { limits: { ...limits, requestsInFlightMax: 2 } },
    );
    const inside = [held.client.get('/v1/catalog'), held.client.get('/v1/catalog')];
    await eventually('both are in', async () => (await held.metric('http_requests_in_flight')) === 2);
    assertProblem(await held.client.get('/v1/catalog'), 429, 'overloaded');
    gate.resolve();
    for (const answer of await Promise.all(inside)) assert.equal(answer.status, 200);
    assert.equal((await held.client.get('/v1/catalog')).status, 200);
    await held.server.stop();
  });

  it('finishes what it let in when it is stopped, and tells readiness at once', async () => {
    const gate = Promise.withResolvers<void>();
    const stopping = await startServer({
      'catalog.list': async () => gate.promise.then(() => ({ status: 200, body: '{"late":true}' })),
    });
    const underWay = stopping.client.get('/v1/catalog');
    await eventually('it is in', async () => (await stopping.metric('http_requests_in_flight')) === 1);
    assert.equal((await stopping.client.get('/readyz')).status, 200);
    stopping.server.drain();
    const readiness = await stopping.client.get('/readyz');
    assert.equal(readiness.status, 503);
    assert.match(readiness.text, /stopping/);
    const stopped = stopping.server.stop();
    gate.resolve();
    const answer = await underWay;
    assert.deepEqual([answer.status, answer.text], [200, '{"late":true}']);
    await stopped;
    await assert.rejects(stopping.client.get('/readyz'));
  });

  it('cuts off what does not finish in time', async () => {
    const stuck = await startServer(
      { 'catalog.list': () => Promise.withResolvers<never>().promise },
      { limits: { ...limits, drainMs: 50 } },
    );
    const underWay = stuck.client.get('/v1/catalog');
    const failed = assert.rejects(underWay);
    await eventually('it is in', async () => (await stuck.metric('http_requests_in_flight')) === 1);
    await stuck.server.stop();
    await failed;
  });

  it('says which port is taken', async () => {
    const first = await startServer({});
    await assert.rejects(startServer({}, { port: first.port }), /taken/);
    await first.server.stop();
  });
});
