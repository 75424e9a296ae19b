/** Catalog items as their owners manage them, on real Postgres: statuses, versions, what others see, what is written down. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { announcedEvents, catalog, generationHeader, limits, merchants } from '@local-plus/contracts';
import type postgres from 'postgres';
import {
  assertProblem,
  type Caller,
  eventually,
  nobody,
  operator,
  type SignedClient,
  TestStack,
} from '../../test/stack.ts';
import { allPages, parsed, Tenant } from '../../test/tenant.ts';
import { anotherMillisecond } from '../../test/time.ts';
import { type ItemChange, sellsAmount, statusAfter } from './domain.ts';

const { managedItem, managedPage, catalogPage } = catalog;
const draft = {
  kind: 'gift_card',
  name: 'Card',
  brand: 'Brand',
  currency: 'EUR',
  amounts: { type: 'fixed', denominations: [2_500, 1_000, 2_500] },
};
const items = '/v1/catalog-items';

describe('catalog items', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;
  let tenant: Tenant;
  let owner: Caller;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql();
    tenant = await Tenant.open(client);
    owner = withCatalog(tenant.caller);
  });
  after(() => stack.stop());

  const withCatalog = (caller: Caller): Caller => ({ ...caller, scopes: [...(caller.scopes ?? []), 'catalog:write'] });
  const post = (target: string, body: unknown, caller = owner, key: string = randomUUID()) =>
    client.post(target, body, { caller, key });
  const drafted = async (change: object = {}, caller = owner) =>
    parsed(await post(items, { ...draft, ...change }, caller), 201, managedItem);
  const published = async (change: object = {}, caller = owner) => {
    const { id, version } = await drafted(change, caller);
    return parsed(await post(`${items}/${id}/publish`, { expected_version: version }, caller), 200, managedItem);
  };
  const own = async (id: string) => parsed(await client.get(`${items}/${id}`, { caller: owner }), 200, managedItem);
  const seen = async (id: string) => (await client.get(`/v1/catalog/${id}`, { caller: nobody })).status === 200;
  const eventsOf = async (id: string) => {
    const rows = await sql<{ payload: { event_type: 'giftcard.catalog.updated' } }[]>`
      select payload from outbox where aggregate_id = ${id} order by place`;
    return rows.map(({ payload }) => announcedEvents[payload.event_type].schema.parse(payload));
  };

  it('are drafted in any shape, once for a key, and nobody else sees a draft', async () => {
    const key = randomUUID();
    const more = {
      ...{ validity_months: 36, countries: ['FR', 'DE', 'DE'], categories: ['food', 'drink'], description: 'Ä ☕' },
      ...{ images: ['https://img.example/a/b.png?w=1'], stock: 7 },
    };
    const first = await post(items, { ...draft, ...more }, owner, key);
    const item = parsed(first, 201, managedItem);
    assert.deepEqual(
      [item.denominations, item.countries, item.categories, item.stock, item.in_stock, item.merchant_id],
      [[1_000, 2_500], ['DE', 'FR'], ['drink', 'food'], 7, true, owner.merchantId],
    );
    assert.deepEqual([item.status, item.version], ['draft', 1]);
    const again = await post(items, { ...draft, ...more }, owner, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assertProblem(await post(items, draft, owner, key), 422, 'idempotency_key_reused');
    assert.equal((await client.get(`${items}/${item.id}`, { caller: owner })).text, first.text);
    assert.equal(await seen(item.id), false);
    assert.deepEqual(await eventsOf(item.id), []);
    const range = await drafted({ amounts: { type: 'range', min: 500, max: 10_000 } });
    assert.deepEqual(range.amounts, { type: 'range', min: 500, max: 10_000, step: 1 });
    assert.deepEqual(range.denominations, []);
  });

  it('go through their statuses as the table says, with a version each, and an event where everybody sees it', async () => {
    const { id } = await drafted();
    const to = (verb: string, expected_version: number, key?: string) =>
      post(`${items}/${id}/${verb}`, { expected_version }, owner, key);
    const generation = async () => (await client.get('/v1/catalog', { caller: nobody })).headers.get(generationHeader);
    const before = await generation();
    const key = randomUUID();
    const first = await to('publish', 1, key);
    assert.deepEqual([parsed(first, 200, managedItem).status, await seen(id)], ['published', true]);
    assert.notEqual(await generation(), before);
    assertProblem(await to('publish', 2), 409, 'catalog_status');
    const change = { ...draft, name: 'Another name', expected_version: 2 };
    const renamed = parsed(await post(`${items}/${id}`, change), 200, managedItem);
    assert.deepEqual(
      [renamed.name, renamed.version, renamed.created_at],
      ['Another name', 3, (await own(id)).created_at],
    );
    assertProblem(await post(`${items}/${id}`, change), 409, 'version_conflict');
    const gone = parsed(await to('withdraw', 3), 200, managedItem);
    assert.deepEqual([gone.status, gone.version, await seen(id)], ['withdrawn', 4, false]);
    for (const refused of [
      to('withdraw', 4),
      to('publish', 4),
      post(`${items}/${id}`, { ...change, expected_version: 4 }),
    ]) {
      assertProblem(await refused, 409, 'catalog_status');
    }
    assertProblem(await post(`${items}/${id}/stock`, { type: 'set', stock: 1 }), 409, 'catalog_status');
    const again = await to('publish', 1, key);
    assert.deepEqual(
      [again.text, again.headers.get('idempotent-replayed')],
      [first.text, 'true'],
      'a replay is as it was',
    );
    assertProblem(await to('publish', 2, key), 422, 'idempotency_key_reused');
    assertProblem(await to('withdraw', 1, key), 422, 'idempotency_key_reused');
    const events = (await eventsOf(id)).map(({ data }) =>
      'status' in data ? [data.status, data.version, data.name] : [],
    );
    assert.deepEqual(events, [
      ['published', 2, 'Card'],
      ['published', 3, 'Another name'],
      ['withdrawn', 4, 'Another name'],
    ]);
  });

  it('of one version are changed by one of many at a time', async () => {
    const { id } = await published();
    const names = Array.from({ length: 20 }, (_, index) => `Name ${index}`);
    const answers = await Promise.all(
      names.map((name) => post(`${items}/${id}`, { ...draft, name, expected_version: 2 })),
    );
    const done = answers.filter(({ status }) => status === 200);
    assert.equal(done.length, 1);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertProblem(answer, 409, 'version_conflict');
    const key = randomUUID();
    const same = await Promise.all(
      names.map(() => post(`${items}/${id}`, { ...draft, name: 'Same', expected_version: 3 }, owner, key)),
    );
    assert.deepEqual([new Set(same.map(({ text }) => text)).size, same[0]?.status], [1, 200]);
    assert.equal(same.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1);
    assert.equal((await own(id)).version, 4);
  });

  it('are not published without anything to buy', async () => {
    const nothing = { amounts: { type: 'range', min: 1_000, max: 500 } };
    const { id } = await drafted(nothing);
    assertProblem(await post(`${items}/${id}/publish`, { expected_version: 1 }), 409, 'catalog_unsellable');
    const sold = await published();
    const emptied = { ...draft, ...nothing, expected_version: 2 };
    assertProblem(await post(`${items}/${sold.id}`, emptied), 409, 'catalog_unsellable');
    assert.equal(sellsAmount({ denominations: [], range: { min: 500, max: 1_000, step: 200 } }, 900), true);
    for (const amount of [400, 600, 1_000, 1_100]) {
      assert.equal(sellsAmount({ denominations: [], range: { min: 500, max: 1_000, step: 200 } }, amount), false);
    }
  });

  it('are another tenant’s alone: read, listed and changed by nobody else', async () => {
    const { id } = await drafted();
    const stranger = withCatalog((await Tenant.open(client)).caller);
    const version = { expected_version: 1 };
    for (const answer of [
      await client.get(`${items}/${id}`, { caller: stranger }),
      await post(`${items}/${id}`, { ...draft, ...version }, stranger),
      await post(`${items}/${id}/publish`, version, stranger),
      await post(`${items}/${id}/withdraw`, version, stranger),
      await post(`${items}/${id}/stock`, { type: 'set', stock: 1 }, stranger),
      await client.get(`${items}/${randomUUID()}`, { caller: owner }),
    ]) {
      assertProblem(answer, 404, 'not_found');
    }
    const platforms = await drafted({}, operator);
    assert.equal(platforms.merchant_id, null);
    assertProblem(await client.get(`${items}/${platforms.id}`, { caller: owner }), 404, 'not_found');
    const idsOf = async (caller: Caller) =>
      parsed(await client.get(`${items}?limit=100`, { caller }), 200, managedPage).data.map((item) => item.id);
    assert.ok((await idsOf(owner)).includes(id));
    assert.deepEqual(await idsOf(stranger), []);
    assert.deepEqual(await idsOf(operator), [platforms.id]);
    assertProblem(await client.get(items, { caller: { ...owner, scopes: ['wallets:read'] } }), 403, 'forbidden');
  });

  it('are listed by status and kind, in pages', async () => {
    const shop = withCatalog((await Tenant.open(client)).caller);
    for (let index = 0; index < 5; index++) await drafted({}, shop);
    await anotherMillisecond();
    const live = await published({ kind: 'reward' }, shop);
    const pages = await allPages(async (cursor) =>
      parsed(await client.get(`${items}?limit=2${cursor}`, { caller: shop }), 200, managedPage),
    );
    const seenIds = pages.flatMap(({ data }) => data.map(({ id }) => id));
    assert.deepEqual([seenIds.length, seenIds[0]], [6, live.id]);
    for (const query of ['status=published', 'kind=reward', 'status=published&kind=reward']) {
      const page = parsed(await client.get(`${items}?${query}`, { caller: shop }), 200, managedPage);
      assert.deepEqual(
        page.data.map(({ id }) => id),
        [live.id],
        query,
      );
    }
    assertProblem(await client.get(`${items}?cursor=x`, { caller: shop }), 400, 'invalid_cursor');
  });

  it('of a merchant who is not active are not seen from then on, in any process, and are seen again', async () => {
    const shop = withCatalog((await Tenant.open(client)).caller);
    const { id } = await published({}, shop);
    const other = (await stack.startCore({ WRITER_ID: '2' })).client;
    const shown = async (each: SignedClient) => {
      const answer = await each.get('/v1/catalog?limit=100', { caller: nobody });
      const isListed = parsed(answer, 200, catalogPage).data.some((item) => item.id === id);
      const { status } = await each.get(`/v1/catalog/${id}`, { caller: nobody });
      return { isListed, status, generation: answer.headers.get(generationHeader) };
    };
    const before = await shown(other);
    assert.deepEqual([before.isListed, before.status], [true, 200]);
    const move = (action: string) =>
      client.post(`/v1/merchants/${shop.merchantId}/transitions`, { action, reason: 'a test' }, { caller: operator });
    assert.equal((await move('suspend')).status, 201);
    const gone = await shown(client);
    assert.deepEqual([gone.isListed, gone.status], [false, 404]);
    assert.notEqual(gone.generation, before.generation, 'what the edge keeps is out of date');
    await eventually('the other process knows', async () => (await shown(other)).status === 404);
    assert.equal((await move('resume')).status, 201);
    assert.deepEqual((await shown(client)).status, 200);
  });

  it('have their stock set and added to, once for a key, and never below zero', async () => {
    const { id } = await published({ stock: 5 });
    const change = (body: object, key?: string) => post(`${items}/${id}/stock`, body, owner, key);
    const key = randomUUID();
    const first = await change({ type: 'add', count: -2 }, key);
    assert.deepEqual([parsed(first, 200, managedItem).stock, (await own(id)).version], [3, 2]);
    assert.equal((await change({ type: 'add', count: -2 }, key)).text, first.text);
    assertProblem(await change({ type: 'add', count: -3 }, key), 422, 'idempotency_key_reused');
    assertProblem(await change({ type: 'add', count: -4 }), 409, 'out_of_stock');
    assert.equal(parsed(await change({ type: 'add', count: -3 }), 200, managedItem).in_stock, false);
    assert.equal(
      parsed(await client.get(`/v1/catalog/${id}`, { caller: nobody }), 200, catalog.catalogItem).in_stock,
      false,
    );
    assert.equal(parsed(await change({ type: 'set', stock: null }), 200, managedItem).in_stock, true);
    assert.equal(parsed(await change({ type: 'add', count: 9 }), 200, managedItem).stock, null);
    assert.equal(parsed(await change({ type: 'set', stock: 1 }), 200, managedItem).stock, 1);
    const most = { type: 'add', count: limits.catalogStockMax };
    assert.equal(parsed(await change(most), 200, managedItem).stock, limits.catalogStockMax);
    const events = (await eventsOf(id)).slice(1).map(({ data }) => data);
    assert.deepEqual(events, [
      { id, in_stock: false },
      { id, in_stock: true },
    ]);
  });

  it('leave an entry in the audit trail with every change', async () => {
    const { id } = await published();
    await post(`${items}/${id}/stock`, { type: 'set', stock: 1 });
    await post(`${items}/${id}/withdraw`, { expected_version: 2 });
    const found = await sql<{ trail: string; entry: { action: string } }[]>`
      select trail, entry from audit_entries where entry->'target'->>'id' = ${id} order by place`;
    assert.deepEqual(
      found.map(({ trail, entry }) => [trail, entry.action]),
      ['create', 'publish', 'stock', 'withdraw'].map((verb) => [owner.merchantId, `catalog_item.${verb}`]),
    );
  });

  it('have a table of statuses that leads nowhere but forward', () => {
    const changes: readonly ItemChange[] = ['update', 'publish', 'withdraw', 'stock'];
    const order = catalog.itemStatuses;
    for (const status of order) {
      for (const change of changes) {
        const next = statusAfter(status, change);
        assert.ok(next === null || order.indexOf(next) >= order.indexOf(status));
      }
    }
    assert.ok(merchants.scopes.includes('catalog:write'));
  });
});
