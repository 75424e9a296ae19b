import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generationHeader, parseContext } from '@local-plus/contracts';
import { authorized, createStage, jsonResponse, problemResponse, type Stage, told } from '../test/stage.ts';
import { edgeLimits } from './limits.ts';

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
    assert.equal(await stage.status(), 'local-plus-edge; hit; ttl=0; detail=revalidating');
    await stage.settle();
    assert.equal(await stage.status(), 'local-plus-edge; hit; ttl=10');
    assert.equal(stage.asked.length, 2);
  });

  it('knows how old a page is, though somebody has set the clock back', async () => {
    const stage = await catalogStage();
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss; stored');
    stage.setBackMs(3_600_000);
    stage.passMs(10_000 + edgeLimits.cacheRevalidateMs);
    assert.equal(await stage.status(), 'local-plus-edge; fwd=stale; stored');
    assert.equal(stage.asked.length, 2);
  });

  it('serves what is past its time while one request fetches behind, and for so long only (C3)', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    stage.answer(async () => {
      await held;
      return jsonResponse(200, 'new');
    });
    stage.passMs(10_000);
    const answers = await Promise.all(Array.from({ length: 20 }, () => stage.ask('/v1/catalog')));
    for (const answer of answers) assert.deepEqual(await answer.json(), page);
    release();
    await stage.settle();
    assert.equal(stage.asked.length, 2);
    assert.equal(await (await stage.ask('/v1/catalog')).json(), 'new');
    stage.passMs(10_000 + edgeLimits.cacheRevalidateMs);
    assert.equal(await stage.status(), 'local-plus-edge; fwd=stale; stored');
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
    const told = answers.map((answer) => answer.headers.get('cache-status'));
    assert.deepEqual(told, [
      'local-plus-edge; fwd=miss; stored',
      ...Array.from({ length: 49 }, () => 'local-plus-edge; fwd=miss; collapsed'),
    ]);
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

  it('knows a search by what it means, and asks nothing that the catalog does not know', async () => {
    const stage = await catalogStage();
    for (const query of ['q=Big+++Shoes+&country=DE&min=0500', 'min=500&country=DE&q=big%20shoes&limit=25']) {
      assert.equal((await stage.ask(`/v1/catalog?${query}`)).status, 200);
    }
    assert.deepEqual(
      stage.asked.map(({ target }) => target),
      ['/v1/catalog?country=DE&limit=25&min=500&q=big+shoes'],
    );
    for (const query of ['q=', 'q=+a', 'country=de', 'kind=card', 'max=0', 'category=A', 'sort=name', 'q=a&q=b']) {
      assert.equal(await told(await stage.ask(`/v1/catalog?${query}`)), '400 invalid_request', query);
    }
    assert.equal(stage.asked.length, 1);
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

  it('has a HEAD answered by what a GET left, and neither validators nor bodies mixed up', async () => {
    const stage = await catalogStage();
    const got = await stage.ask('/v1/catalog');
    const headers = { ...authorized, 'if-none-match': `"other", W/${got.headers.get('etag')}` };
    const head = await stage.ask('/v1/catalog', { method: 'HEAD', headers });
    assert.deepEqual([head.status, await head.text(), stage.asked.length], [304, '', 1]);
    for (const name of ['etag', 'cache-control']) assert.equal(head.headers.get(name), got.headers.get(name));
    assert.equal(head.headers.get('content-type'), null);
    assert.equal((await stage.ask('/v1/catalog', { headers: { 'cache-control': 'no-cache' } })).status, 200);
    assert.equal(stage.asked.length, 1);
  });

  it('serves what it has for ten minutes while the origin is away, then says so (C3)', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    stage.keepAway(true);
    stage.passMs(10_000 + edgeLimits.cacheRevalidateMs);
    const stale = await stage.ask('/v1/catalog');
    assert.equal(stale.headers.get('cache-status'), 'local-plus-edge; hit; ttl=-30; detail=origin-away');
    assert.deepEqual(await stale.json(), page);
    stage.passMs(edgeLimits.cacheErrorMs - edgeLimits.cacheRevalidateMs);
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
      stage.passMs(10_000 + edgeLimits.cacheRevalidateMs);
      const answer = await stage.ask('/v1/catalog');
      assert.deepEqual([answer.status, stage.asked.length], [200, 2]);
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

  it('is ended by a refusal: what is no more there is not served (C3)', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    stage.answer(() => problemResponse(404, 'not_found'));
    stage.passMs(10_000);
    await stage.ask('/v1/catalog');
    await stage.settle();
    assert.equal(await told(await stage.ask('/v1/catalog')), '404 not_found');
  });

  it('passes an answer on that varies, and does not keep it (C1)', async () => {
    const stage = await catalogStage();
    stage.answer(() => jsonResponse(200, page, { vary: 'accept-language' }));
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss');
    assert.equal(await stage.status(), 'local-plus-edge; fwd=miss');
  });

  it('passes an answer on that is too large to keep (C5)', async () => {
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

describe('a change at core', () => {
  async function labelledStage() {
    const stage = await catalogStage();
    let version = 1;
    stage.setGeneration('g1');
    stage.answer(() => jsonResponse(200, `version ${version}`, { [generationHeader]: `g${version}` }));
    return {
      ...stage,
      change() {
        version++;
        stage.setGeneration(`g${version}`);
      },
      read: async () => (await (await stage.ask('/v1/catalog')).json()) as string,
    };
  }

  it('is seen in two seconds at most, by the first who comes then (C4)', async () => {
    const stage = await labelledStage();
    assert.equal(await stage.read(), 'version 1');
    stage.change();
    stage.passMs(edgeLimits.generationTrustMs - 1);
    assert.equal(await stage.read(), 'version 1');
    await stage.settle();
    assert.equal(await stage.read(), 'version 2');
    stage.change();
    stage.passMs(edgeLimits.generationTrustMs);
    assert.equal(await stage.read(), 'version 3');
    stage.change();
    stage.passMs(30_000);
    assert.equal(await stage.read(), 'version 4', 'however long nobody came');
  });

  it('is asked for once a second at most, and not without traffic', async () => {
    const stage = await labelledStage();
    await stage.read();
    for (let at = 0; at < 50; at++) {
      stage.passMs(100);
      await stage.read();
      await stage.settle();
    }
    assert.ok(stage.generationsAsked() >= 4 && stage.generationsAsked() <= 6, `${stage.generationsAsked()}`);
    assert.equal(stage.asked.length, 1, 'and nothing is fetched again while nothing changes');
    stage.passMs(20_000);
    const answer = await stage.ask('/v1/catalog');
    assert.match(answer.headers.get('cache-status') ?? '', /; hit; ttl=35$/);
    assert.equal(answer.headers.get('age'), '0', 'core has just said that it is still so');
  });

  it('is asked for once a second at most while core does not say', async () => {
    const stage = await labelledStage();
    await stage.read();
    stage.setGeneration(null);
    stage.passMs(5_000);
    for (let at = 0; at < 3; at++) assert.equal(await stage.read(), 'version 1');
    await stage.settle();
    assert.equal(stage.generationsAsked(), 1);
  });

  it('that is not known for sure makes nothing unavailable', async () => {
    const stage = await labelledStage();
    await stage.read();
    stage.keepAway(true);
    stage.passMs(5_000);
    for (let at = 0; at < 3; at++) assert.equal(await stage.read(), 'version 1');
    await stage.settle();
    stage.passMs(60_000 + edgeLimits.cacheErrorMs - 5_001);
    assert.equal(await stage.read(), 'version 1');
    await stage.settle();
    stage.passMs(1);
    assert.equal(await told(await stage.ask('/v1/catalog')), '503 unavailable');
  });

  it('does not take away what is there while the new cannot be fetched', async () => {
    const stage = await labelledStage();
    await stage.read();
    stage.change();
    stage.answer(() => problemResponse(503, 'unavailable'));
    stage.passMs(edgeLimits.generationTrustMs);
    const answer = await stage.ask('/v1/catalog');
    assert.match(answer.headers.get('cache-status') ?? '', /; hit; ttl=0; detail=origin-away$/);
    assert.equal(await answer.json(), 'version 1');
  });

  it('is not asked for when core says no generation', async () => {
    const stage = await catalogStage();
    await stage.ask('/v1/catalog');
    stage.passMs(5_000);
    await stage.ask('/v1/catalog');
    await stage.settle();
    assert.equal(stage.generationsAsked(), 0);
  });
});
