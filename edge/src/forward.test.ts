import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { limits, parseContext } from '@local-plus/contracts';
import type { PlanLimiter } from '../index.ts';
import {
  authorized,
  createStage,
  earn,
  earnPath,
  grant,
  jsonResponse,
  merchantId,
  problemResponse,
  told,
  walletId,
} from '../test/stage.ts';
import { edgeLimits } from './limits.ts';

const balance = `/v1/wallets/${walletId}/balance`;

describe('what reaches the origin', () => {
  it('is the request as it came: method, target, bytes, key, and no header but the named', async () => {
    const stage = await createStage();
    const body = ' {"amount":5, "reference":"\\u00e9"} ';
    const extra = {
      cookie: 'a=b',
      'x-forwarded-for': '1.1.1.1',
      'lp-context': 'forged',
      'lp-signature': 'forged',
      'user-agent': 'u',
    };
    await stage.ask(earnPath, earn(body, extra));
    const [asked] = stage.asked;
    assert.ok(asked);
    assert.deepEqual([asked.method, asked.target, new TextDecoder().decode(asked.body)], ['POST', earnPath, body]);
    assert.deepEqual(Object.keys(asked.headers).sort(), [
      'content-type',
      'idempotency-key',
      'lp-context',
      'lp-signature',
      'traceparent',
      'x-request-id',
    ]);
    assert.equal(asked.redirect, 'manual');
    const context = parseContext(asked.headers['lp-context'] ?? '');
    assert.deepEqual(
      [context?.merchantId, context?.subject, context?.scopes, context?.clientIp, context?.budgetMs],
      [merchantId, grant.api_key_id, grant.scopes, '192.0.2.1', limits.requestBudgetMs],
    );
  });

  it('carries the caller’s request id and trace', async () => {
    const stage = await createStage();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const answer = await stage.ask(balance, { headers: { ...authorized, 'x-request-id': merchantId, traceparent } });
    assert.equal(answer.headers.get('x-request-id'), merchantId);
    assert.equal(stage.asked[0]?.headers['x-request-id'], merchantId);
    assert.equal(stage.asked[0]?.headers['traceparent'], traceparent);
  });

  it('is asked once, whatever becomes of it (E1)', async () => {
    const stage = await createStage();
    stage.answer(() => Promise.reject(new TypeError('connection lost')));
    assert.equal(await told(await stage.ask(earnPath, earn())), '503 unavailable');
    assert.equal(stage.asked.length, 1);
  });

  it('is asked once more for a read whose connection failed, signed anew, and no third time', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    const before = stage.asked.length;
    let fails = 1;
    stage.answer(() => (fails-- > 0 ? Promise.reject(new TypeError('connection lost')) : jsonResponse(200, {})));
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '200');
    const nonces = stage.asked.slice(before).map(({ headers }) => parseContext(headers['lp-context'] ?? '')?.nonce);
    assert.deepEqual([nonces.length, new Set(nonces).size], [2, 2]);
    fails = 2;
    assert.equal((await stage.ask(balance, { method: 'HEAD', headers: authorized })).status, 503);
    assert.equal(stage.asked.length, before + 4);
  });

  it('is not asked once more when there was an answer, or no time is left', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    const before = stage.asked.length;
    stage.answer(() => new Response('bad gateway', { status: 502 }));
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '502 bad_gateway');
    stage.answer(() => {
      stage.passMs(limits.requestBudgetMs - edgeLimits.retryBudgetMsMin + 1);
      return Promise.reject(new TypeError('connection lost'));
    });
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '503 unavailable');
    assert.equal(stage.asked.length, before + 2);
  });

  it('has less time when it is asked once more', async () => {
    const stage = await createStage();
    stage.answer(() => {
      stage.passMs(2_000);
      return Promise.reject(new TypeError('connection lost'));
    });
    await stage.ask(balance, { headers: authorized });
    const budgets = stage.asked.map(({ headers }) => parseContext(headers['lp-context'] ?? '')?.budgetMs);
    assert.deepEqual(budgets, [limits.requestBudgetMs, limits.requestBudgetMs - 2_000]);
  });

  it('carries no tracestate: nobody behind reads it', async () => {
    const stage = await createStage();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await stage.ask(balance, { headers: { ...authorized, traceparent, tracestate: 'congo=t61rcWkgMzE' } });
    assert.deepEqual(
      [stage.asked[0]?.headers['traceparent'], stage.asked[0]?.headers['tracestate']],
      [traceparent, undefined],
    );
  });

  for (const connection of ['close, Idempotency-Key', 'authorization', 'x,traceparent']) {
    it(`is nothing when Connection names a field of ours: ${connection}`, async () => {
      const stage = await createStage();
      assert.equal(await told(await stage.ask(earnPath, earn('{"amount":5}', { connection }))), '400 invalid_request');
      assert.deepEqual(stage.asked, []);
    });
  }

  it('has none of the fields of one connection (RFC 9110 §7.6.1)', async () => {
    const stage = await createStage();
    const hop = { connection: 'close, x-own', 'x-own': 'a', te: 'trailers', 'keep-alive': 'timeout=5', upgrade: 'h2c' };
    assert.equal((await stage.ask(earnPath, earn('{"amount":5}', hop))).status, 201);
    for (const name of Object.keys(hop)) assert.equal(stage.asked[0]?.headers[name], undefined, name);
  });

  it('is a HEAD where the caller asks HEAD', async () => {
    const stage = await createStage();
    stage.answer(() => new Response(null, { headers: { 'content-type': 'application/json' } }));
    const answer = await stage.ask(balance, { method: 'HEAD', headers: authorized });
    assert.deepEqual([stage.asked[0]?.method, answer.status, await answer.text()], ['HEAD', 200, '']);
  });
});

describe('what comes back', () => {
  it('is status, body and the named headers', async () => {
    const stage = await createStage();
    const headers = {
      'content-type': 'application/json',
      'idempotent-replayed': 'true',
      location: '/v1/x',
      etag: '"e"',
      'set-cookie': 'a=b',
      server: 'uWS',
      'cache-control': 'public',
      connection: 'close',
      'x-internal': 'y',
    };
    stage.answer(() => new Response('{"a":1}', { status: 201, headers }));
    const answer = await stage.ask(earnPath, earn());
    assert.deepEqual([answer.status, await answer.text()], [201, '{"a":1}']);
    for (const name of ['content-type', 'idempotent-replayed', 'location', 'etag'] as const) {
      assert.equal(answer.headers.get(name), headers[name]);
    }
    for (const name of ['set-cookie', 'server', 'x-internal']) assert.equal(answer.headers.get(name), null);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.match(answer.headers.get('ratelimit') ?? '', /^"key";r=999;t=\d+$/);
  });

  it('is nothing that the origin calls hop-by-hop', async () => {
    const stage = await createStage();
    const headers = { connection: 'close, ETag', etag: '"e"', 'keep-alive': 'timeout=5', location: '/v1/x' };
    stage.answer(() => new Response('{}', { status: 201, headers }));
    const answer = await stage.ask(earnPath, earn());
    for (const name of ['etag', 'connection', 'keep-alive']) assert.equal(answer.headers.get(name), null, name);
    assert.equal(answer.headers.get('location'), '/v1/x');
  });

  it('says where its time went', async () => {
    const stage = await createStage();
    stage.answer(() => {
      stage.passMs(40);
      return jsonResponse(200, {});
    });
    const timing = async (target: string, init: RequestInit = {}) =>
      (await stage.ask(target, init)).headers.get('server-timing');
    assert.equal(await timing(balance, { headers: authorized }), 'edge;dur=0, origin;dur=40');
    assert.equal(await timing('/v1/catalog'), 'edge;dur=0, origin;dur=40, cache;desc=miss');
    assert.equal(await timing('/v1/catalog'), 'edge;dur=0, cache;desc=hit');
    assert.equal(await timing('/healthz'), 'edge;dur=0');
  });

  for (const [status, code] of [
    [400, 'invalid_cursor'],
    [404, 'not_found'],
    [409, 'insufficient_funds'],
    [422, 'idempotency_key_reused'],
    [429, 'overloaded'],
    [500, 'internal'],
    [503, 'unavailable'],
  ] as const) {
    it(`a problem of the origin passes as it is: ${status}`, async () => {
      const stage = await createStage();
      stage.answer(() => problemResponse(status, code));
      assert.equal(await told(await stage.ask(earnPath, earn())), `${status} ${code}`);
      assert.deepEqual(stage.troubles, []);
    });
  }

  const unusable: readonly (readonly [string, () => Response, string])[] = [
    ['a 500 in HTML', () => new Response('<h1>stack trace</h1>', { status: 500 }), 'origin_unusable'],
    ['a 530 of a tunnel', () => new Response('error 1033', { status: 530 }), 'origin_unusable'],
    ['a 404 of somebody else', () => new Response('nothing', { status: 404 }), 'origin_unusable'],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: 'http://elsewhere' } }),
      'origin_unusable',
    ],
    ['a refused signature', () => problemResponse(401, 'signature_invalid'), 'signature_refused'],
  ];
  for (const [name, respond, trouble] of unusable) {
    it(`${name} is a problem of ours: 502`, async () => {
      const stage = await createStage();
      stage.answer(respond);
      const answer = await stage.ask(earnPath, earn());
      assert.equal(answer.headers.get('location'), null);
      assert.equal(await told(answer), '502 bad_gateway');
      assert.deepEqual(stage.troubles, [trouble]);
    });
  }

  it('is 503 with Retry-After when there is no connection', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    stage.keepAway(true);
    const answer = await stage.ask(earnPath, earn());
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.equal(await told(answer), '503 unavailable');
    assert.deepEqual(stage.troubles, ['origin_away']);
  });

  it('is 503 at once, without asking, while the origin is away; one request finds out when it is back', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    stage.answer(() => Promise.reject(new TypeError('connection refused')));
    const before = stage.asked.length;
    const { failuresMin, backOffMsMin } = edgeLimits.circuit;
    for (let count = 0; count < failuresMin + 3; count++) await stage.ask(earnPath, earn());
    assert.equal(stage.asked.length, before + failuresMin);
    assert.ok(stage.troubles.includes('circuit_open'));
    const refused = await stage.ask(earnPath, earn());
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(await told(refused), '503 unavailable');
    stage.passMs(backOffMsMin);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise: probing, resolve: probes } = Promise.withResolvers<void>();
    stage.answer(async () => {
      probes();
      await held;
      return jsonResponse(201, {});
    });
    const probe = stage.ask(earnPath, earn());
    await probing;
    const others = await Promise.all([stage.ask(earnPath, earn()), stage.ask(balance, { headers: authorized })]);
    assert.deepEqual(await Promise.all(others.map(told)), ['503 unavailable', '503 unavailable']);
    release();
    assert.equal(await told(await probe), '201');
    assert.equal(await told(await stage.ask(earnPath, earn())), '201');
    assert.equal(stage.asked.length, before + failuresMin + 2);
  });

  it('does not count what core refuses as its absence', async () => {
    const stage = await createStage();
    stage.answer(() => problemResponse(503, 'unavailable'));
    for (let count = 0; count < 20; count++) await stage.ask(earnPath, earn());
    assert.equal(stage.asked.length, 20);
  });

  it('is 504 when the budget is used up', async () => {
    const stage = await createStage();
    stage.answer(async ({ signal }) => {
      Object.defineProperty(signal, 'aborted', { value: true });
      throw new DOMException('late', 'TimeoutError');
    });
    assert.equal(await told(await stage.ask(earnPath, earn())), '504 gateway_timeout');
    assert.deepEqual(stage.troubles, ['origin_late']);
  });

  it('is said not to be executed, without asking, when too little of the budget is left; nobody else feels it', async () => {
    let tookMs = 0;
    const slow: PlanLimiter = {
      take() {
        stage.passMs(tookMs);
        const left = { burst: null, minute: null, month: null };
        return { allowed: true, retryMs: 0, left, ageMs: 0, leased: 0, atMs: 0 };
      },
      giveBack: () => undefined,
    };
    const stage = await createStage({ plans: slow });
    stage.answer(async ({ signal }) => {
      await Promise.race([pause(50), new Promise((_, reject) => signal.addEventListener('abort', reject))]);
      return jsonResponse(201, {});
    });
    tookMs = limits.requestBudgetMs - 5;
    for (let count = 0; count < edgeLimits.circuit.inRowMin; count++) {
      const answer = await stage.ask(earnPath, earn());
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.equal(await told(answer), '503 deadline_exceeded');
      assert.equal(
        await told(await stage.ask(`/v1/catalog?limit=${count + 1}`, { headers: authorized })),
        '503 deadline_exceeded',
      );
    }
    assert.deepEqual([stage.asked, stage.troubles], [[], []]);
    tookMs = limits.requestBudgetMs - edgeLimits.forwardBudgetMsMin;
    assert.equal(await told(await stage.ask(earnPath, earn())), '201');
  });

  it('comes again after the back-off, though somebody has set the clock back', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    stage.answer(() => Promise.reject(new TypeError('connection refused')));
    const { failuresMin, backOffMsMin } = edgeLimits.circuit;
    for (let count = 0; count < failuresMin; count++) await stage.ask(earnPath, earn());
    stage.setBackMs(3_600_000);
    stage.answer(() => jsonResponse(201, {}));
    const asked = stage.asked.length;
    assert.equal(await told(await stage.ask(earnPath, earn())), '503 unavailable');
    assert.equal(stage.asked.length, asked, 'the circuit is open');
    stage.passMs(backOffMsMin);
    assert.equal(await told(await stage.ask(earnPath, earn())), '201');
  });
});
