/** Jobs over HTTP on a real Postgres: asked for once, watched, stopped, fetched, confirmed; by their merchant and nobody else. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { announcedEvents, giftcardBatches, type MerchantId, limits as wire } from '@local-plus/contracts';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { startServer, type TestServer } from '../../test/http.ts';
import { type Answer, assertProblem, type Caller, eventually, merchantCaller, operator } from '../../test/stack.ts';
import { allPages, parsed } from '../../test/tenant.ts';
import { newMerchant } from '../codes/test/stage.ts';
import { BatchFile } from './file.ts';
import { BatchStore } from './store.ts';
import { BatchesStage, createTestCards, testLimits } from './test/stage.ts';

const path = '/v1/giftcard-batches';

describe('bulk issues over HTTP', () => {
  let database: TestDatabase;
  let stage: BatchesStage;
  let server: TestServer;

  before(async () => {
    database = await startDatabase();
    await createTestCards(database.sql);
    stage = new BatchesStage(database.pool({ connectionsMax: 4 }));
    server = await startServer(stage.handlers);
  });
  after(async () => {
    await server.server.stop();
    await database.close();
  });

  function tenant() {
    const merchantId = newMerchant();
    const caller = merchantCaller(merchantId);
    const body = { program_id: stage.program(merchantId), count: 3, amount: 2_500, public_key: stage.publicKey };
    const get = (target: string): Promise<Answer> => server.client.get(target, { caller });
    const post = (target: string, asked: unknown, key: string = randomUUID()): Promise<Answer> =>
      server.client.post(target, asked, { caller, key });
    const ask = async (change: object = {}) => batchOf(await post(path, { ...body, ...change }), 201);
    return { merchantId, caller, body, get, post, ask };
  }

  const batchOf = (answer: Answer, status: number): giftcardBatches.Batch =>
    parsed(answer, status, giftcardBatches.batch);

  /** Works all jobs off that there are. */
  async function work(): Promise<void> {
    const worker = stage.worker();
    worker.start();
    await eventually('every job has ended', async () => {
      const open = await database.sql`select 1 from giftcard_batches where ended_at is null`;
      return open.length === 0;
    });
    await worker.stop();
  }

  const auditOf = async (merchantId: MerchantId): Promise<string[]> => {
    const rows = await database.sql`select entry->>'action' as action from audit_entries where trail = ${merchantId}
      order by place`;
    return rows.map(({ action }) => String(action));
  };

  it('are created once for one key, and a replay shows them as they were then', async () => {
    const { merchantId, body, post, get } = tenant();
    const key = randomUUID();
    const first = await post(path, body, key);
    const created = batchOf(first, 201);
    assert.deepEqual(
      [created.status, created.count, created.issued, created.pin, created.activate, created.file, created.expires_on],
      ['queued', 3, 0, false, false, 'pending', null],
    );
    await work();
    const again = await post(path, body, key);
    assert.deepEqual([again.status, again.text, again.headers.get('idempotent-replayed')], [201, first.text, 'true']);
    assertProblem(await post(path, { ...body, count: 4 }, key), 422, 'idempotency_key_reused');
    const done = batchOf(await get(`${path}/${created.id}`), 200);
    assert.deepEqual([done.status, done.issued, done.failed, done.file], ['done', 3, 0, 'ready']);
    const days = (Date.parse(done.file_expires_at ?? '') - Date.parse(done.ended_at ?? '')) / 86_400_000;
    assert.ok(Math.abs(days - wire.batchFileDays) < 0.1);
    assert.deepEqual(await auditOf(merchantId), ['giftcard_batch.create']);
  });

  it('that were accepted stay so, whatever has become of their item, their last day or the keys of codes', async () => {
    const { body, post } = tenant();
    const [catalog_item_id, key] = [randomUUID(), randomUUID()];
    stage.offers.set(catalog_item_id, true);
    const expires_on = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const asked = { ...body, catalog_item_id, expires_on };
    const first = await post(path, asked, key);
    assert.equal(first.status, 201, first.text);
    stage.offers.set(catalog_item_id, false);
    stage.aheadMs = 5 * 86_400_000;
    stage.hasCodes = false;
    const again = await post(path, asked, key);
    assert.deepEqual([again.status, again.text, again.headers.get('idempotent-replayed')], [201, first.text, 'true']);
    assertProblem(await post(path, { ...asked, count: 4 }, key), 422, 'idempotency_key_reused');
    assertProblem(await post(path, asked), 501, 'giftcard_codes_not_configured');
    stage.hasCodes = true;
    assertProblem(await post(path, asked), 409, 'expires_on_passed');
    stage.aheadMs = 0;
    assertProblem(await post(path, asked), 409, 'giftcard_not_offered');
    await work();
  });

  it('are refused for what no card could be of, before there is a job', async () => {
    const { body, post } = tenant();
    const strangers = tenant().body.program_id;
    const offCurve = { ...stage.publicKey, x: 'A'.repeat(43) };
    for (const [change, pointer] of [
      [{ public_key: offCurve }, '/public_key'],
      [{ expires_on: '2027-02-30' }, '/expires_on'],
      [{ count: 0 }, '/count'],
      [{ count: wire.batchCardsMax + 1 }, '/count'],
      [{ public_key: { ...stage.publicKey, d: 'A'.repeat(43) } }, '/public_key/d'],
      [{ public_key: { ...stage.publicKey, crv: 'P-384' } }, '/public_key/crv'],
    ] as const) {
      const { errors } = assertProblem(await post(path, { ...body, ...change }), 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, pointer);
    }
    assertProblem(await post(path, { ...body, program_id: strangers }), 404, 'not_found');
    assertProblem(await post(path, { ...body, program_id: randomUUID() }), 404, 'not_found');
    assertProblem(await post(path, { ...body, expires_on: '2020-01-01' }), 409, 'expires_on_passed');
    assertProblem(await post(path, { ...body, catalog_item_id: randomUUID() }), 404, 'not_found');
    const [offered, another] = [randomUUID(), randomUUID()];
    stage.offers.set(offered, true).set(another, false);
    assertProblem(await post(path, { ...body, catalog_item_id: another }), 409, 'giftcard_not_offered');
    assert.equal(batchOf(await post(path, { ...body, catalog_item_id: offered }), 201).catalog_item_id, offered);
    assertProblem(await server.client.post(path, body, { caller: operator }), 403, 'forbidden');
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    assert.equal(batchOf(await post(path, { ...body, expires_on: tomorrow }), 201).expires_on, tomorrow);
    await work();
  });

  it("are another merchant's business only to that one", async () => {
    const { ask, caller: owner } = tenant();
    const { id } = await ask();
    await work();
    const readers: Caller[] = [merchantCaller(newMerchant())];
    for (const caller of readers) {
      assertProblem(await server.client.get(`${path}/${id}`, { caller }), 404, 'not_found');
      assertProblem(await server.client.get(`${path}/${id}/file`, { caller }), 404, 'not_found');
      assertProblem(await server.client.post(`${path}/${id}/cancel`, undefined, { caller }), 404, 'not_found');
      assertProblem(await server.client.post(`${path}/${id}/file/confirm`, { lines: 3 }, { caller }), 404, 'not_found');
      const page = giftcardBatches.batchPage.parse((await server.client.get(path, { caller })).json);
      assert.deepEqual(page.data, []);
    }
    const reader = { ...owner, scopes: ['giftcards:read'] as const };
    assertProblem(await server.client.get(`${path}/${id}/file`, { caller: reader }), 403, 'forbidden');
    assertProblem(await server.client.get(`${path}/x`, { caller: owner }), 404, 'not_found');
  });

  it('are listed newest first, page by page', async () => {
    const { ask, get } = tenant();
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.unshift((await ask({ count: 1 })).id);
    const pages = await allPages(async (cursor) =>
      parsed(await get(`${path}?limit=2${cursor}`), 200, giftcardBatches.batchPage),
    );
    const seen = pages.flatMap(({ data }) => data.map(({ id }) => id));
    assert.deepEqual([...seen].sort(), [...ids].sort());
    assert.deepEqual(seen, [...seen].sort().reverse());
    assertProblem(await get(`${path}?cursor=x`), 400, 'invalid_cursor');
    await work();
  });

  it('are bounded per merchant: those under way, and those whose codes nobody fetched', async () => {
    const { body, ask, post, merchantId } = tenant();
    for (let index = 0; index < wire.batchesOpenMax; index++) await ask({ count: 1 });
    assertProblem(await post(path, body), 409, 'giftcard_batches_limit_exceeded');
    await work();
    await ask({ count: 1 });
    await database.sql`insert into giftcard_batches (id, merchant_id, program_id, cards_count, amount, has_pin, activate,
        public_key, request_id, status, ended_at, file, creator, idempotency_key, request_hash)
      select gen_random_uuid(), ${merchantId}, gen_random_uuid(), 1, 1, false, false, '{}', gen_random_uuid(), 'done', now(),
        'ready', ${merchantId}, 'k' || n, '' from generate_series(1, ${wire.batchFilesMax - 11}) as n`;
    assertProblem(await post(path, body), 409, 'giftcard_batches_limit_exceeded');
    await work();
  });

  it('give their codes as often as they are asked, from any line on, until they are confirmed', async () => {
    const { merchantId, ask, get, post } = tenant();
    const { id } = await ask({ count: 250 });
    const file = `${path}/${id}/file`;
    assertProblem(await get(file), 409, 'giftcard_batch_running');
    assertProblem(await post(`${file}/confirm`, { lines: 250 }), 409, 'giftcard_batch_running');
    await work();
    const whole = await get(file);
    assert.deepEqual([whole.status, whole.headers.get('content-type')], [200, 'application/x-ndjson']);
    const cards = stage.cardsOf(whole.text);
    assert.equal(cards.length, 250);
    assert.ok(await stage.finds(merchantId, cards[249] as giftcardBatches.FileCard));
    const lines = whole.text.split('\n');
    for (const from of [0, 1, 99, 100, 101, 249, 250]) {
      assert.equal((await get(`${file}?from=${from}`)).text, lines.slice(from).join('\n'), `from ${from}`);
    }
    assert.equal((await get(`${file}?from=300`)).text, '');
    assertProblem(await get(`${file}?from=-1`), 400, 'invalid_request');
    const { errors } = assertProblem(await post(`${file}/confirm`, { lines: 249 }), 400, 'invalid_request');
    assert.equal(errors?.[0]?.pointer, '/lines');
    assert.equal((await get(file)).text, whole.text, 'nothing is deleted by a wrong number');
    const key = randomUUID();
    const confirmed = batchOf(await post(`${file}/confirm`, { lines: 250 }, key), 200);
    assert.equal(confirmed.file, 'delivered');
    assert.equal((await post(`${file}/confirm`, { lines: 250 }, key)).headers.get('idempotent-replayed'), 'true');
    assertProblem(await post(`${file}/confirm`, { lines: 249 }, key), 422, 'idempotency_key_reused');
    assertProblem(await post(`${file}/confirm`, { lines: 250 }), 409, 'giftcard_codes_delivered');
    assertProblem(await get(file), 409, 'giftcard_codes_delivered');
    const left = await database.sql`select count(*)::int as count from giftcard_batch_chunks where batch_id = ${id}`;
    assert.equal(left[0]?.['count'], 0);
    assert.deepEqual(await auditOf(merchantId), ['giftcard_batch.create', 'giftcard_batch.confirm_file']);
  });

  it('answer HEAD with what GET would say, without a line', async () => {
    const { caller, ask } = tenant();
    const { id } = await ask();
    await work();
    const head = await server.client.send('HEAD', `${path}/${id}/file`, { caller });
    assert.deepEqual([head.status, head.headers.get('content-type'), head.text], [200, 'application/x-ndjson', '']);
  });

  it('break off, rather than seem whole, when the codes are deleted while they are read', async () => {
    const { ask } = tenant();
    const { id } = await ask({ count: 900 });
    await work();
    const store = new BatchStore(stage.database);
    const reading = await BatchFile.open(store, id as never, 0, testLimits.chunksReadAtOnce);
    assert.notEqual(await reading.next(), null);
    await database.sql`delete from giftcard_batch_chunks where batch_id = ${id}`;
    await assert.rejects(reading.next(), /deleted/);
  });

  it('stop when they are cancelled: at once if nobody began, and once', async () => {
    const { merchantId, ask, get, post } = tenant();
    const { id } = await ask();
    const key = randomUUID();
    const cancelled = batchOf(await post(`${path}/${id}/cancel`, undefined, key), 200);
    assert.deepEqual([cancelled.status, cancelled.file, cancelled.issued], ['cancelled', 'none', 0]);
    assert.equal((await post(`${path}/${id}/cancel`, undefined, key)).headers.get('idempotent-replayed'), 'true');
    assertProblem(await post(`${path}/${id}/cancel`, undefined), 409, 'giftcard_batch_ended');
    assertProblem(await get(`${path}/${id}/file`), 404, 'not_found');
    const [event] = await database.sql`select event_type, payload from outbox where aggregate_id = ${id}`;
    const { schema, topic } = announcedEvents['giftcard.batch.ended'];
    assert.equal(event?.['event_type'], topic);
    assert.equal(schema.parse(event?.['payload']).data.status, 'cancelled');
    assert.deepEqual(await auditOf(merchantId), ['giftcard_batch.create', 'giftcard_batch.cancel']);
    const done = await ask();
    await work();
    assertProblem(await post(`${path}/${done.id}/cancel`, undefined), 409, 'giftcard_batch_ended');
  });

  it('delete the codes that nobody came for', async () => {
    const { ask, get } = tenant();
    const [old, fresh] = [await ask(), await ask()];
    await work();
    await database.sql`update giftcard_batches set file_expires_at = now() where id = ${old.id}`;
    const store = new BatchStore(stage.database);
    const expired = await store.expired(10);
    assert.deepEqual(
      expired.map(({ id }) => id),
      [old.id],
    );
    for (const { id } of [...expired, { id: fresh.id as never }]) await store.expire(id);
    assert.equal(batchOf(await get(`${path}/${old.id}`), 200).file, 'expired');
    assertProblem(await get(`${path}/${old.id}/file`), 409, 'giftcard_codes_delivered');
    assert.equal(stage.cardsOf((await get(`${path}/${fresh.id}/file`)).text).length, 3);
  });
});
