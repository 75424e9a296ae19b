/** Customers on real Postgres: created once, changed by version, found by their merchant only, and written down nowhere in plain. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { announcedEvents, customers } from '@local-plus/contracts';
import type postgres from 'postgres';
import { recorded } from '../test/log.ts';
import {
  assertProblem,
  type Caller,
  customerKeysText,
  eventually,
  operator,
  type SignedClient,
  TestStack,
} from '../test/stack.ts';
import { allPages, parsed, Tenant } from '../test/tenant.ts';
import { anotherMillisecond } from '../test/time.ts';
import { customerCaller } from './test/caller.ts';

const { customer, customerPage, consent, consentPage } = customers;
const contact = {
  name: 'Zebulon Quixote',
  email: 'zeb.quixote@mail.example',
  phone: '+4930998877',
  birthday: '1984-02-29',
  locale: 'pt-BR',
};

describe('customers', () => {
  const stack = new TestStack();
  const { log, lines: logged } = recorded();
  let client: SignedClient;
  let sql: postgres.Sql;
  let caller: Caller;

  before(async () => {
    ({ client } = await stack.serve({}, log));
    sql = stack.sql();
    caller = customerCaller(await Tenant.open(client));
  });
  after(() => stack.stop());

  const post = (target: string, body: unknown, key: string = randomUUID(), as = caller) =>
    client.post(target, body, { caller: as, key });
  const get = (target: string, as = caller) => client.get(target, { caller: as });
  const created = async (body: object = {}) => parsed(await post('/v1/customers', body), 201, customer);
  const read = async (id: string) => parsed(await get(`/v1/customers/${id}`), 200, customer);

  it('are created once for a key, and read back as they were created', async () => {
    const key = randomUUID();
    const body = { external_id: 'crm-1', contact };
    const first = await post('/v1/customers', body, key);
    const { id, version, status, merged_into } = parsed(first, 201, customer);
    assert.deepEqual([version, status, merged_into], [1, 'active', null]);
    assert.equal((await get(`/v1/customers/${id}`)).text, first.text);
    const same = await Promise.all(Array.from({ length: 20 }, () => post('/v1/customers', body, key)));
    for (const again of same) {
      assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    }
    const other = { ...body, contact: { ...contact, phone: '+4930998878' } };
    assertProblem(await post('/v1/customers', other, key), 422, 'idempotency_key_reused');
    assertProblem(await post('/v1/customers', { external_id: 'crm-1' }), 409, 'external_id_taken');
    assert.deepEqual((await created()).contact, {});
  });

  it('are changed as a whole, from the version that was read, once for a key', async () => {
    const { id } = await created({ external_id: 'crm-2', contact });
    await created({ external_id: 'crm-3' });
    const key = randomUUID();
    const change = { expected_version: 1, external_id: null, contact: { locale: 'de' } };
    const first = await post(`/v1/customers/${id}`, change, key);
    const changed = parsed(first, 200, customer);
    assert.deepEqual([changed.version, changed.external_id, changed.contact], [2, null, { locale: 'de' }]);
    assert.deepEqual(await read(id), changed);
    assertProblem(await post(`/v1/customers/${id}`, change), 409, 'version_conflict');
    const taken = { ...change, expected_version: 2, external_id: 'crm-3' };
    assertProblem(await post(`/v1/customers/${id}`, taken), 409, 'external_id_taken');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        post(`/v1/customers/${id}`, { ...change, expected_version: 2, contact: { name: `Name ${index}` } }),
      ),
    );
    const won = answers.filter(({ status }) => status === 200);
    assert.deepEqual([won.length, parsed(won[0] ?? first, 200, customer)], [1, await read(id)]);
    const again = await post(`/v1/customers/${id}`, change, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true'], 'as it was then');
    const another = { ...change, contact: {} };
    assertProblem(await post(`/v1/customers/${id}`, another, key), 422, 'idempotency_key_reused');
  });

  it('keep the first answer of their creation, whatever became of them', async () => {
    const key = randomUUID();
    const first = await post('/v1/customers', { contact }, key);
    const { id } = parsed(first, 201, customer);
    await post(`/v1/customers/${id}`, { expected_version: 1, external_id: null, contact: {} });
    assert.equal((await post('/v1/customers', { contact }, key)).text, first.text);
  });

  it('are listed in pages without contact details, and found by their external id', async () => {
    const shop = customerCaller(await Tenant.open(client));
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      const answer = await post('/v1/customers', { external_id: `e/${index} ä`, contact }, randomUUID(), shop);
      ids.push(parsed(answer, 201, customer).id);
      await anotherMillisecond();
    }
    const pages = await allPages(async (cursor) => {
      const answer = await get(`/v1/customers?limit=3${cursor}`, shop);
      assert.doesNotMatch(answer.text, /Quixote|contact/);
      return parsed(answer, 200, customerPage);
    });
    const seen = pages.flatMap(({ data }) => data.map(({ id }) => id));
    assert.deepEqual(seen, ids.reverse());
    const query = new URLSearchParams({ external_id: 'e/4 ä' });
    const found = parsed(await get(`/v1/customers?${query}`, shop), 200, customerPage);
    assert.deepEqual(
      found.data.map(({ id }) => id),
      [ids[2]],
    );
    assert.deepEqual(parsed(await get(`/v1/customers?${query}`), 200, customerPage).data, []);
    assertProblem(await get('/v1/customers?cursor=x', shop), 400, 'invalid_cursor');
  });

  it('are their merchant’s alone, and need their scopes', async () => {
    const { id } = await created({ contact });
    const other = customerCaller(await Tenant.open(client));
    const consenting = { purpose: 'news', status: 'granted', source: 'web' };
    const mine = parsed(await post('/v1/customers', {}, randomUUID(), other), 201, customer);
    for (const answer of [
      await get(`/v1/customers/${id}`, other),
      await get(`/v1/customers/${id}/wallets`, other),
      await get(`/v1/customers/${id}/consents`, other),
      await get(`/v1/customers/${id}/export`, other),
      await post(`/v1/customers/${id}`, { expected_version: 1, external_id: null, contact: {} }, randomUUID(), other),
      await post(`/v1/customers/${id}/merge`, { customer_id: mine.id }, randomUUID(), other),
      await post(`/v1/customers/${mine.id}/merge`, { customer_id: id }, randomUUID(), other),
      await post(`/v1/customers/${mine.id}/merge`, { customer_id: id }, randomUUID(), operator),
      await post(`/v1/customers/${id}/consents`, consenting, randomUUID(), other),
      await post(`/v1/customers/${id}/erase`, undefined, randomUUID(), other),
      await get(`/v1/customers/${randomUUID()}`),
    ]) {
      assertProblem(answer, 404, 'not_found');
    }
    const reader = { ...caller, scopes: ['customers:read'] } as const;
    assertProblem(await post(`/v1/customers/${id}/erase`, undefined, randomUUID(), reader), 403, 'forbidden');
    const writer = { ...caller, scopes: ['customers:read', 'customers:write'] } as const;
    assertProblem(await post(`/v1/customers/${id}/erase`, undefined, randomUUID(), writer), 403, 'forbidden');
    assert.equal((await read(id)).version, 1);
  });

  it('consent at a moment that can be kept: years of four digits, as the database gives them back', async () => {
    const { id } = await created();
    const path = `/v1/customers/${id}/consents`;
    const asked = { purpose: 'marketing.email', status: 'granted', source: 'web' };
    const oldest = '1900-01-01T00:00:00.000Z';
    assertProblem(await post(path, { ...asked, at: '0026-05-01T00:00:00Z' }), 400, 'invalid_request');
    assert.equal(parsed(await post(path, { ...asked, at: oldest }), 201, consent).at, oldest);
  });

  it('have consents with their history: what was said last holds', async () => {
    const { id } = await created();
    const path = `/v1/customers/${id}/consents`;
    const say = (status: string, at?: string, key?: string) =>
      post(path, { purpose: 'marketing.email', status, source: 'web:checkout', ...(at ? { at } : {}) }, key);
    const key = randomUUID();
    const first = await say('granted', '2026-03-01T10:00:00Z', key);
    const granted = parsed(first, 201, consent);
    assert.deepEqual([granted.customer_id, granted.at], [id, '2026-03-01T10:00:00.000Z']);
    const again = await say('granted', '2026-03-01T10:00:00Z', key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assertProblem(await say('withdrawn', undefined, key), 422, 'idempotency_key_reused');
    assert.equal((await say('withdrawn')).status, 201);
    // Brought in later, said before.
    assert.equal((await say('granted', '2025-01-01T00:00:00Z')).status, 201);
    const future = parsed(
      await post(path, { purpose: 'sms', status: 'granted', source: 'pos:1', at: '9000-01-01T00:00:00Z' }),
      201,
      consent,
    );
    assert.equal(future.at, future.recorded_at, 'what is to come counts as now');
    const ofPurpose = parsed(await get(`${path}?purpose=marketing.email`), 200, consentPage).data;
    assert.deepEqual(
      ofPurpose.map(({ status }) => status),
      ['withdrawn', 'granted', 'granted'],
    );
    const pages = await allPages(async (cursor) => parsed(await get(`${path}?limit=1${cursor}`), 200, consentPage));
    const seen = pages.flatMap(({ data }) => data.map(({ purpose }) => purpose));
    assert.deepEqual(seen, ['sms', 'marketing.email', 'marketing.email', 'marketing.email']);
    assertProblem(await get(`${path}?cursor=x`), 400, 'invalid_cursor');
    await sql`update customers set consents = 1000 where id = ${id}`;
    assertProblem(await say('granted'), 409, 'customer_limit_exceeded');
    await assert.rejects(sql`delete from customer_consents where customer_id = ${id}`, /append-only/);
  });

  it('are announced by id, status and version', async () => {
    const { id } = await created({ contact });
    await post(`/v1/customers/${id}`, { expected_version: 1, external_id: null, contact: {} });
    const rows = await sql<{ payload: { event_type: 'customer.created' } }[]>`
      select payload from outbox where aggregate_id = ${id} order by place`;
    const events = rows.map(({ payload }) => announcedEvents[payload.event_type].schema.parse(payload));
    assert.deepEqual(
      events.map(({ event_type, data }) => [event_type, data.version, data.status]),
      [
        ['customer.created', 1, 'active'],
        ['customer.updated', 2, 'active'],
      ],
    );
  });

  it('go to the newest key by themselves, and are read by either until then', async () => {
    const { id } = await created({ contact });
    const newer = `c2:${randomBytes(32).toString('base64url')}`;
    const rotating = await stack.startCore({ WRITER_ID: '2', CUSTOMER_KEYS: `${newer},${customerKeysText}` });
    const answer = await rotating.client.get(`/v1/customers/${id}`, { caller });
    assert.deepEqual(parsed(answer, 200, customer).contact, contact);
    const later = parsed(await rotating.client.post('/v1/customers', { contact }, { caller }), 201, customer);
    await eventually('no key is left under the older one', async () => {
      const [left] = await sql`select count(*)::int as count from customer_keys where key_id = 'c1'`;
      return left?.['count'] === 0;
    });
    const rotated = await stack.startCore({ WRITER_ID: '3', CUSTOMER_KEYS: newer });
    for (const each of [id, later.id]) {
      const shown = await rotated.client.get(`/v1/customers/${each}`, { caller });
      assert.deepEqual(parsed(shown, 200, customer).contact, contact);
    }
    // Who was never told of the newer key: another process may answer.
    const change = { expected_version: 1, external_id: null, contact: {} };
    for (const refused of [await get(`/v1/customers/${id}`), await post(`/v1/customers/${id}`, change)]) {
      assert.equal(assertProblem(refused, 503, 'unavailable').retryable, true);
    }
    assert.equal(logged.join('').match(/customers are under a key that is not configured/g)?.length, 1);
  });

  it('are read by a process that has the next key behind its own, before and after it is used', async () => {
    const newer = `n2:${randomBytes(32).toString('base64url')}`;
    const current = `n1:${randomBytes(32).toString('base64url')}`;
    const start = (writer: string, keys: string) => stack.startCore({ WRITER_ID: writer, CUSTOMER_KEYS: keys });
    const prepared = await start('5', `${current},${newer}`);
    const made = async ({ client: by }: { readonly client: SignedClient }) =>
      parsed(await by.post('/v1/customers', { contact }, { caller }), 201, customer).id;
    const wrapped = async (id: string) => (await sql`select key_id from customer_keys where customer_id = ${id}`)[0];
    const before = await made(prepared);
    assert.deepEqual(await wrapped(before), { key_id: 'n1' });
    const rotating = await start('6', `${newer},${current}`);
    const afterwards = await made(rotating);
    for (const core of [prepared, rotating]) {
      for (const id of [before, afterwards]) {
        const shown = await core.client.get(`/v1/customers/${id}`, { caller });
        assert.deepEqual(parsed(shown, 200, customer).contact, contact);
      }
    }
  });

  it('are not kept where no key is configured', async () => {
    const without = await stack.startCore({ WRITER_ID: '4', CUSTOMER_KEYS: '' });
    const answer = await without.client.post('/v1/customers', { contact }, { caller });
    assertProblem(answer, 501, 'customers_not_configured');
  });
});
