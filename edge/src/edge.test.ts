import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bodyRules, isUuid, limits, matchRoute, type Route, routes, validate } from '@local-plus/contracts';
import {
  authorized,
  createStage,
  earn,
  earnPath,
  grant,
  key,
  merchantId,
  type Stage,
  told,
  walletId,
} from '../test/stage.ts';
import { createBrokenEdge } from './edge.ts';
import { keyDigest } from './key-digests.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const concrete = (path: string) => path.replaceAll(/\{\w+\}/g, walletId);

async function operatorStage(): Promise<Stage> {
  const stage = await createStage();
  const scopes = [
    'admin',
    'merchants:read',
    'programs:read',
    'programs:write',
    'wallets:write',
    'wallets:read',
    'transactions:write',
  ] as const;
  stage.keys.set(await keyDigest(key), {
    ...grant,
    api_key_id: 'operator',
    merchant_id: null,
    scopes: [...scopes],
  });
  return stage;
}

/** Each row: what is asked, with a known key, and what is told; nothing of it may reach the origin. */
const refusals: readonly (readonly [string, string, RequestInit, string])[] = [
  ['a path that is none', '/v1/nothing', { headers: authorized }, '404 not_found'],
  ['the root', '/', {}, '404 not_found'],
  ['a slash at the end', `${balance}/`, { headers: authorized }, '404 not_found'],
  ['another case', '/V1/catalog', {}, '404 not_found'],
  ['an internal path', `/internal/keys/${'0'.repeat(64)}`, { headers: authorized }, '404 not_found'],
  ['a percent-encoded path', '/v1/%63atalog', {}, '400 invalid_path'],
  ['an encoded traversal', '/v1/catalog/..%2f..%2fadmin', {}, '400 invalid_path'],
  ['a path parameter', '/v1/catalog;a=b', {}, '400 invalid_path'],
  ['an empty segment', '/v1//catalog', {}, '400 invalid_path'],
  ['a long target', `/v1/catalog?cursor=${'a'.repeat(limits.targetBytesMax)}`, {}, '414 uri_too_long'],
  ['a wrong method', balance, { method: 'DELETE', headers: authorized }, '405 method_not_allowed'],
  ['a POST on a GET', balance, earn(), '405 method_not_allowed'],
  ['a GET of what is no id', '/v1/transactions/bulk', { headers: authorized }, '405 method_not_allowed'],
  ['a POST on a machine path', '/healthz', earn(), '405 method_not_allowed'],
  ['OPTIONS: there is no CORS', '/v1/catalog', { method: 'OPTIONS' }, '405 method_not_allowed'],
  ['a wrong type', earnPath, earn('{"amount":5}', { 'content-type': 'text/plain' }), '415 unsupported_media_type'],
  ['a body too large', earnPath, earn('{"amount":5}', { 'content-length': '99999' }), '413 payload_too_large'],
  ['no key at all', earnPath, earn('{"amount":5}', { authorization: '' }), '401 unauthenticated'],
  ['a wrong key', earnPath, earn('{"amount":5}', { authorization: `Bearer ${key}x` }), '401 unauthenticated'],
  ['a scope that is lacking', '/v1/wallets', earn(`{"program_id":"${walletId}"}`), '403 forbidden'],
  ['an admin route', '/v1/merchants', earn('{"name":"a"}'), '403 forbidden'],
  ['an id that is none', '/v1/wallets/5/balance', { headers: authorized }, '404 not_found'],
  [
    'an id in capitals',
    `/v1/wallets/${walletId.toUpperCase().replace('0000-7', 'ABCD-7')}/balance`,
    { headers: authorized },
    '404 not_found',
  ],
  ['no Idempotency-Key', earnPath, earn('{"amount":5}', { 'idempotency-key': '' }), '400 idempotency_key_missing'],
  [
    'a long Idempotency-Key',
    earnPath,
    earn('{"amount":5}', { 'idempotency-key': 'a'.repeat(256) }),
    '400 idempotency_key_invalid',
  ],
  [
    'two Idempotency-Keys',
    earnPath,
    earn('{"amount":5}', { 'idempotency-key': 'a, b' }),
    '400 idempotency_key_invalid',
  ],
  ['malformed JSON', earnPath, earn('{"amount":'), '400 invalid_json'],
  ['a duplicate member', earnPath, earn('{"amount":5,"amount":6}'), '400 invalid_json'],
  ['deep JSON', earnPath, earn(`{"amount":${'['.repeat(40)}${']'.repeat(40)}}`), '400 invalid_json'],
  ['an unknown member', earnPath, earn('{"amount":5,"x":1}'), '400 invalid_request'],
  ['an unknown parameter', `${balance}?x=1`, { headers: authorized }, '400 invalid_request'],
  ['a wrong parameter', `${balance}?as_of=yesterday`, { headers: authorized }, '400 invalid_request'],
  ['a parameter of a POST', `${earnPath}?x=1`, earn(), '400 invalid_request'],
];

describe('the edge refuses', () => {
  for (const [name, target, init, expected] of refusals) {
    it(`${name}: ${expected}`, async () => {
      const stage = await createStage();
      const answer = await stage.ask(target, init);
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
      const document = (await answer.json()) as { code: string; status: number; request_id: string };
      assert.equal(`${answer.status} ${document.code}`, expected);
      assert.deepEqual([document.status, document.request_id], [answer.status, answer.headers.get('x-request-id')]);
      assert.deepEqual(stage.asked, []);
    });
  }

  it('with what is allowed instead', async () => {
    const stage = await createStage();
    const allowed = async (target: string) => (await stage.ask(target, { method: 'PUT' })).headers.get('allow');
    assert.equal(await allowed('/v1/catalog'), 'GET, HEAD, POST');
    assert.equal(await allowed(earnPath), 'POST');
    assert.equal(await allowed('/openapi.json'), 'GET, HEAD');
  });
});

describe('the edge routes', () => {
  for (const [id, route] of Object.entries<Route>(routes)) {
    it(`${id} to the origin, as the contracts do`, async () => {
      const stage = await operatorStage();
      const target = concrete(route.path);
      assert.ok(matchRoute(route.method, target).found);
      const { format = 'json' } = route;
      const type = { 'content-type': bodyRules[format].mediaType };
      const init = route.method === 'GET' ? { headers: authorized } : earn(route.body === null ? '' : '{}', type);
      const answer = await told(await stage.ask(target, init));
      // What stands in lines is core's to judge.
      const isPassed = format === 'ndjson' || route.body === null || validate(route.body, {}).ok;
      const reached = route.method === 'GET' || isPassed;
      if (reached) assert.equal(stage.asked[0]?.target.split('?')[0], target);
      else assert.equal(answer, '400 invalid_request');
    });
  }

  it('a POST without a body to the route that has none', async () => {
    const stage = await operatorStage();
    const target = concrete(routes['api_keys.revoke'].path);
    const { body: _none, ...init } = earn();
    assert.equal(await told(await stage.ask(target, init)), '201');
    assert.equal(stage.asked[0]?.body, undefined);
    assert.equal(await told(await stage.ask(target, earn('{}'))), '400 invalid_request');
  });
});

describe('every answer', () => {
  it('has the security headers and a request id', async () => {
    const stage = await createStage();
    for (const answer of [
      await stage.ask('/healthz'),
      await stage.ask('/nothing'),
      await stage.ask(earnPath, earn()),
    ]) {
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
      assert.match(answer.headers.get('strict-transport-security') ?? '', /^max-age=31536000/);
      assert.match(answer.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
      assert.ok(isUuid(answer.headers.get('x-request-id') ?? ''));
    }
  });

  it('repeats no exception: a bug is 500, and reported (E2, E3)', async () => {
    const stage = await createStage({
      plans: { take: () => Promise.reject(new Error('secret')), giveBack: () => undefined },
    });
    const answer = await stage.ask(earnPath, earn());
    const text = await answer.text();
    assert.equal(answer.status, 500);
    assert.ok(text.includes('internal') && !text.includes('secret'));
    assert.deepEqual(stage.troubles, ['bug']);
  });

  it('of an edge that is not configured is 500', async () => {
    const request = new Request('https://edge.test/healthz', { headers: { 'x-request-id': merchantId } });
    const answer = await createBrokenEdge(() => 0)(request, { clientAddress: null, waitUntil: () => undefined });
    assert.equal(answer.headers.get('x-request-id'), merchantId);
    assert.equal(await told(answer), '500 internal');
  });
});

describe('the machine paths', () => {
  it('/healthz asks nobody and is never limited', async () => {
    const stage = await createStage();
    stage.keepAway(true);
    for (let count = 0; count < 150; count++) assert.equal((await stage.ask('/healthz')).status, 200);
  });

  it('/readyz tells what core says, and asks it at most once a second', async () => {
    const stage = await createStage();
    stage.answer(() => new Response('ok'));
    for (let count = 0; count < 150; count++) assert.equal((await stage.ask('/readyz')).status, 200);
    assert.deepEqual(
      stage.asked.map(({ target }) => target),
      ['/readyz'],
    );
    stage.keepAway(true);
    stage.passMs(1_000);
    const answer = await stage.ask('/readyz');
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.equal(await told(answer), '503 unavailable');
  });

  it('/readyz asks once for all who ask at once, and tells all of them what core says', async () => {
    const stage = await createStage();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    stage.answer(async () => {
      await held;
      return new Response('ok');
    });
    const asking = Promise.all([stage.ask('/readyz'), stage.ask('/readyz')]);
    release();
    assert.deepEqual(
      (await asking).map(({ status }) => status),
      [200, 200],
    );
    assert.equal(stage.asked.length, 1);
  });

  it('/openapi.json is the contract, with a validator', async () => {
    const stage = await createStage();
    const answer = await stage.ask('/openapi.json');
    assert.equal(((await answer.json()) as { openapi: string }).openapi, '3.1.0');
    const again = await stage.ask('/openapi.json', { headers: { 'if-none-match': answer.headers.get('etag') ?? '' } });
    assert.equal(again.status, 304);
    assert.deepEqual(stage.asked, []);
  });
});
