import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseContext } from '@local-plus/contracts';
import { authorized, createStage, jsonResponse, problemResponse, type Stage, told } from '../test/stage.ts';
import { edgeLimits } from './limits.ts';
import { matchesEtag } from './public-cache.ts';

const page = { data: [], next_cursor: null };

async function catalogStage(): Promise<Stage & { status(): Promise<string> }> {
  const stage = await createStage();
  stage.answer(() => jsonResponse(200, page, { 'cache-control': 'private', 'set-cookie': 'a=b' }));
  return { ...stage, status: async () => (await stage.ask('/v1/catalog')).headers.get('cache-status') ?? '' };
}

describe('the public cache', () => {
  it('asks the origin once in the time of the route', async () => {
    const stage = await catalogStage();
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss; stored');
    stage.passMs(4_000);
    assert.equal(await stage.status(), 'local-plus-edge; hit; ttl=6');
    stage.passMs(6_000);
    assert.equal(await stage.status(), 'local-plus-edge; fwd=stale; stored');
    assert.equal(stage.asked.length, 2);
  });

  it('asks it as nobody, for nobody (C1)', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog', { headers: { ...authorized, cookie: 'a=b' }, clientAddress: '192.0.2.77' });
    const { headers } = stage.asked[0] ?? {};
    assert.deepEqual(Object.keys(headers ?? {}).sort(), ['lp-context', 'lp-signature', 'traceparent', 'x-request-id']);
    const context = parseContext(headers?.['lp-context'] ?? '');
    assert.deepEqual(
      [context?.subject, context?.merchantId, context?.clientIp, context?.scopes],
      ['public', null, '-', []],
    );
  });

  it('lets one request fill, and the others wait for it (C2)', async () => {
    const stage = await catalogStage();
    const answers = await Promise.all(Array.from({ length: 50 }, () => stage.ask('/v1/catalog')));
    assert.equal(stage.asked.length, 1);
    const collapsed = answers.filter((answer) => answer.headers.get('cache-status')?.includes('collapsed'));
    assert.equal(collapsed.length, 49);
    for (const answer of answers) assert.deepEqual(await answer.json(), page);
  });

  it('knows a query by what it means', async () => {
    const stage = await catalogStage();
    for (const query of ['', '?limit=25', '?limit=025', '?']) await stage.ask(`/v1/catalog${query}`);
    assert.deepEqual(
      stage.asked.map(({ target }) => target),
      ['/v1/catalog?limit=25'],
    );
    await stage.ask('/v1/catalog?limit=5&cursor=abc');
    await stage.ask('/v1/catalog?cursor=abc&limit=5');
    assert.equal(stage.asked[1]?.target, '/v1/catalog?cursor=abc&limit=5');
    assert.equal(stage.asked.length, 2);
  });

  it('answers with validators and its age, and none of the origin’s headers', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    stage.passMs(3_000);
    const answer = await stage.ask('/v1/catalog');
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=10');
    assert.equal(answer.headers.get('age'), '3');
    assert.match(answer.headers.get('etag') ?? '', /^"[\w-]{43}"$/);
    assert.deepEqual([answer.headers.get('set-cookie'), answer.headers.get('ratelimit')], [null, null]);
    const again = await stage.ask('/v1/catalog', { headers: { 'if-none-match': answer.headers.get('etag') ?? '' } });
    assert.deepEqual(
      [again.status, await again.text(), again.headers.get('etag')],
      [304, '', answer.headers.get('etag')],
    );
    const head = await stage.ask('/v1/catalog', { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
  });

  it('serves what it has for a minute while the origin is away, then says so (C3)', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    stage.keepAway(true);
    stage.passMs(15_000);
    const stale = await stage.ask('/v1/catalog');
    assert.equal(stale.headers.get('cache-status'), 'local-plus-edge; hit; ttl=-5; detail=origin-away');
    assert.deepEqual(await stale.json(), page);
    stage.passMs(10_000 + edgeLimits.cacheStaleMs);
    assert.equal(await told(await stage.ask('/v1/catalog')), '503 unavailable');
    stage.keepAway(false);
    assert.equal(await told(await stage.ask('/v1/catalog')), '200');
  });

  for (const [status, code] of [
    [500, 'internal'],
    [503, 'unavailable'],
    [429, 'overloaded'],
  ] as const) {
    it(`serves what it has when the origin answers ${status}`, async () => {
      const stage = await catalogStage();
      await stage.ask('/v1/catalog');
      stage.answer(() => problemResponse(status, code));
      stage.passMs(10_000);
      assert.equal((await stage.ask('/v1/catalog')).status, 200);
    });
  }

  it('keeps no refusal, and tells it under each caller’s own request id', async () => {
    const stage = await catalogStage();
    stage.answer(() => problemResponse(400, 'invalid_cursor'));
    const answers = await Promise.all([stage.ask('/v1/catalog?cursor=a'), stage.ask('/v1/catalog?cursor=a')]);
    for (const answer of answers) {
      const body = (await answer.json()) as { request_id: string; code: string };
      assert.deepEqual([body.code, body.request_id], ['invalid_cursor', answer.headers.get('x-request-id')]);
    }
    stage.answer(() => jsonResponse(200, page));
    assert.equal((await stage.ask('/v1/catalog?cursor=a')).status, 200);
  });

  it('passes an answer on that is too large to keep (C4)', async () => {
    const stage = await catalogStage();
    stage.answer(() => jsonResponse(200, 'x'.repeat(edgeLimits.cacheBodyBytesMax)));
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss');
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss');
  });

  it('refuses a query that is none before it asks', async () => {
    const stage = await catalogStage();
    for (const query of ['limit=0', 'limit=5&limit=6', 'page=1']) {
      assert.equal(await told(await stage.ask(`/v1/catalog?${query}`)), '400 invalid_request');
    }
    assert.deepEqual(stage.asked, []);
  });
});

describe('If-None-Match', () => {
  const cases: readonly (readonly [string | null, boolean])[] = [
    [null, false],
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
  ];
  for (const [given, expected] of cases) {
    it(`${given}: ${expected}`, () => assert.equal(matchesEtag(given, '"a"'), expected));
  }
});
