/** The catalog on real Postgres and Valkey: newest first, whole, the same in every process, with the cache or without. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { catalog, generationHeader, generations, internalPaths, routes } from '@local-plus/contracts';
import { idCursor } from '../../platform/cursor/index.ts';
import {
  assertProblem,
  eventually,
  meanwhile,
  merchantCaller,
  nobody,
  operator,
  redisIs,
  type SignedClient,
  TestStack,
  theEdge,
} from '../../test/stack.ts';
import { allPages } from '../../test/tenant.ts';
import { anotherMillisecond } from '../../test/time.ts';

const page = routes['catalog.list'].answer;

describe('the catalog', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let elsewhere: SignedClient;

  before(async () => {
    [client, elsewhere] = await stack.serveTwo();
  });
  after(() => stack.stop());

  function publish(name: string, key: string = randomUUID()) {
    const body = { name, brand: 'Brand', currency: 'EUR', denominations: [1_000, 2_500] };
    return client.post('/v1/catalog', body, { caller: operator, key });
  }

  async function newest(each: SignedClient) {
    return page.parse((await each.get('/v1/catalog', { caller: nobody })).json);
  }

  it('publishes once for one key, and shows the item to anybody, in every process', async () => {
    assert.deepEqual((await newest(elsewhere)).data, []);
    const key = randomUUID();
    const first = await publish('Card', key);
    assert.equal(first.status, 201, first.text);
    const item = catalog.catalogItem.parse(first.json);
    const again = await publish('Card', key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assertProblem(await publish('Other card', key), 422, 'idempotency_key_reused');
    for (const each of [client, elsewhere]) {
      await eventually('the list has the item', async () => (await newest(each)).data[0]?.id === item.id);
      assert.equal((await each.get(`/v1/catalog/${item.id}`)).text, first.text);
    }
    assertProblem(await client.get(`/v1/catalog/${randomUUID()}`), 404, 'not_found');
    const merchant = { caller: merchantCaller(randomUUID()) };
    assertProblem(await client.post('/v1/catalog', {}, merchant), 403, 'forbidden');
  });

  it('turns pages without a gap or a repetition', async () => {
    for (let index = 0; index < 12; index++) await publish(`Item ${index}`);
    const pages = await allPages(async (cursor) => page.parse((await client.get(`/v1/catalog?limit=5${cursor}`)).json));
    const seen = pages.flatMap(({ data }) => data.map(({ id }) => id));
    assert.equal(seen.length, 13);
    assert.deepEqual(seen, [...new Set(seen)].sort().reverse());
    for (const bad of ['x', 'AAAA', idCursor(randomUUID()).slice(1)]) {
      assertProblem(await client.get(`/v1/catalog?cursor=${bad}`), 400, 'invalid_cursor');
    }
    for (const bad of ['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=1', 'page=2', 'cursor=%2f']) {
      assertProblem(await client.get(`/v1/catalog?${bad}`), 400, 'invalid_request');
    }
  });

  it('moves its generation with every item, in every process, and every answer says of which it is', async () => {
    const told = async (each: SignedClient) =>
      generations.parse((await each.get(internalPaths.generations, { caller: theEdge })).json).catalog;
    const before = await told(client);
    const key = randomUUID();
    const item = catalog.catalogItem.parse((await publish('Moves it', key)).json);
    const moved = await told(elsewhere);
    assert.notEqual(moved, before);
    for (const each of [client, elsewhere]) {
      const page = await each.get('/v1/catalog', { caller: nobody });
      assert.deepEqual([page.headers.get(generationHeader), await told(each)], [moved, moved]);
      assert.ok(page.text.includes(item.id), 'nothing older than the generation it names');
      assert.equal((await each.get(`/v1/catalog/${item.id}`)).headers.get(generationHeader), moved);
    }
    await publish('Moves it', key);
    assertProblem(await publish('Other', key), 422, 'idempotency_key_reused');
    assert.equal(await told(client), moved, 'a replay and a refusal change nothing');
    assertProblem(await client.get(internalPaths.generations, { caller: nobody }), 403, 'forbidden');
  });

  it('is never older than the generation it names, while others publish', async () => {
    const published: string[] = [];
    const publishing = (async () => {
      for (let index = 0; index < 20; index++) {
        published.push(catalog.catalogItem.parse((await publish(`Raced ${index}`)).json).id);
        await anotherMillisecond();
      }
    })();
    const newestUnder = new Map<string, string>();
    await meanwhile(publishing, async () => {
      const known = published.at(-1);
      const answer = await elsewhere.get('/v1/catalog?limit=1', { caller: nobody });
      const [item] = page.parse(answer.json).data;
      assert.ok(item && (known === undefined || item.id >= known), 'what was published before is there');
      const generation = answer.headers.get(generationHeader) ?? '';
      assert.ok(item.id >= (newestUnder.get(generation) ?? ''));
      newestUnder.set(generation, item.id);
    });
  });

  it('goes on when Redis is killed, stays right, and comes back', async () => {
    await stack.valkey.kill();
    const item = catalog.catalogItem.parse((await publish('Without Redis')).json);
    for (const each of [client, elsewhere]) {
      await redisIs('down', each);
      await eventually('the list has the item', async () => (await newest(each)).data[0]?.id === item.id);
    }
    await stack.valkey.start();
    await redisIs('up', client, elsewhere);
    const later = catalog.catalogItem.parse((await publish('With Redis again')).json);
    for (const each of [client, elsewhere]) {
      await eventually('the list has the item', async () => (await newest(each)).data[0]?.id === later.id);
    }
  });
});
