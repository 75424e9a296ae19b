/** Merchants, keys and programs on a real Postgres: what is created once stays once, and nobody sees another's. */
import assert from 'node:assert/strict';
import { hash, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { limits, merchants } from '@local-plus/contracts';
import {
  adminToken,
  assertProblem,
  merchantCaller,
  operator,
  type SignedClient,
  TestStack,
  theEdge,
} from '../test/stack.ts';
import { newMerchant } from '../test/tenant.ts';
import { grantOf } from './test/grant.ts';

const noPlan = { requests_per_minute: null, burst: null, requests_per_month: null };

function expiry(period: 'months' | 'days', count: number, end_of_month: boolean): merchants.PointExpiry {
  return { period, count, end_of_month };
}

describe('the merchant module', () => {
  const stack = new TestStack();
  let client: SignedClient;

  before(async () => {
    ({ client } = await stack.serve());
  });
  after(() => stack.stop());

  const onboard = (): Promise<string> => newMerchant(client, { name: 'Bakery' });

  it('onboards a merchant, once for one key', async () => {
    const key = randomUUID();
    const first = await client.post('/v1/merchants', { name: 'Florist' }, { caller: operator, key });
    const again = await client.post('/v1/merchants', { name: 'Florist' }, { caller: operator, key });
    assert.equal(first.headers.get('idempotent-replayed'), null);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.deepEqual([again.status, again.text], [first.status, first.text]);
    const read = await client.get(`/v1/merchants/${merchants.merchant.parse(first.json).id}`, { caller: operator });
    assert.equal(read.text, first.text);
    const other = await client.post('/v1/merchants', { name: 'Other' }, { caller: operator, key });
    assertProblem(other, 422, 'idempotency_key_reused');
  });

  it('gives one outcome to fifty requests with one key', async () => {
    const key = randomUUID();
    const send = () => client.post('/v1/merchants', { name: 'Crowd' }, { caller: operator, key });
    const answers = await Promise.all(Array.from({ length: 50 }, send));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1);
  });

  it('shows the secret of a key once, and tells the edge what the key allows', async () => {
    const merchantId = await onboard();
    const target = `/v1/merchants/${merchantId}/api-keys`;
    const key = randomUUID();
    const body = { name: 'till', scopes: ['wallets:read'], requests_per_minute: 77 };
    const first = merchants.createdApiKey.parse((await client.post(target, body, { caller: operator, key })).json);
    const replay = await client.post(target, body, { caller: operator, key });
    assert.equal(replay.headers.get('idempotent-replayed'), 'true');
    assert.deepEqual(replay.json, { ...first, key: null });
    assert.match(first.key ?? '', /^lp_live_[A-Za-z0-9_-]{43}$/);
    assert.ok(first.key?.startsWith(first.prefix));
    const grant = merchants.keyGrant.parse((await grantOf(client, first.key ?? '')).json);
    const expected = { merchant_id: merchantId, scopes: ['wallets:read'], requests_per_minute: 77 };
    const tenant = { status: 'active', plan: noPlan, allowed_origins: [] };
    const usual = { burst: null, requests_per_month: null, expires_at_ms: null, tenant };
    assert.deepEqual(grant, { api_key_id: first.id, ...expected, ...usual });
  });

  it('keeps the plan of a key, and tells the edge; a key without one is the same request as ever', async () => {
    const merchantId = await onboard();
    const target = `/v1/merchants/${merchantId}/api-keys`;
    const plan = { requests_per_minute: 600, burst: 50, requests_per_month: 1_000_000_000_000 };
    const key = randomUUID();
    const create = (body: object) => client.post(target, { name: 'till', ...body }, { caller: operator, key });
    const created = merchants.createdApiKey.parse((await create(plan)).json);
    const { api_key_id, requests_per_minute, burst, requests_per_month } = merchants.keyGrant.parse(
      (await grantOf(client, created.key ?? '')).json,
    );
    assert.deepEqual({ requests_per_minute, burst, requests_per_month }, plan);
    assert.deepEqual([created.burst, created.requests_per_month, api_key_id], [50, 1e12, created.id]);
    assertProblem(await create({ ...plan, burst: 51 }), 422, 'idempotency_key_reused');
    assertProblem(await create({ ...plan, burst: null, requests_per_month: null }), 422, 'idempotency_key_reused');

    const older = randomUUID();
    const sql = stack.sql();
    const parts = [merchantId, 'old', ['wallets:read'], 60];
    await sql`insert into api_keys (id, merchant_id, name, prefix, key_hash, scopes, requests_per_minute, creator,
        idempotency_key, request_hash)
      values (${randomUUID()}, ${merchantId}, 'old', 'lp_live_', ${Buffer.from(older)}, ${['wallets:read']}, 60,
        '00000000-0000-0000-0000-000000000000', ${older}, decode(${hash('sha256', JSON.stringify(parts), 'hex')}, 'hex'))`;
    const body = { name: 'old', scopes: ['wallets:read'], requests_per_minute: 60 };
    const replay = await client.post(target, body, { caller: operator, key: older });
    assert.deepEqual([replay.status, replay.headers.get('idempotent-replayed')], [201, 'true'], replay.text);
  });

  async function tenantOf(merchantId: string): Promise<merchants.Tenant> {
    return merchants.tenant.parse((await client.get(`/internal/tenants/${merchantId}`, { caller: theEdge })).json);
  }

  it('lets the operator set a merchant’s plan, once for one key, and tells the edge', async () => {
    const merchantId = await onboard();
    const target = `/v1/merchants/${merchantId}/plan`;
    assert.deepEqual(await tenantOf(merchantId), { status: 'active', plan: noPlan, allowed_origins: [] });
    const plan = { requests_per_minute: 6_000, burst: null, requests_per_month: 5_000_000 };
    const key = randomUUID();
    const first = await client.post(target, plan, { caller: operator, key });
    assert.deepEqual([first.status, first.json], [200, plan], first.text);
    assert.deepEqual((await tenantOf(merchantId)).plan, plan);
    const read = await client.get(`/v1/merchants/${merchantId}`, { caller: merchantCaller(merchantId) });
    assert.deepEqual(merchants.merchant.parse(read.json).plan, plan);
    const none = await client.post(target, noPlan, { caller: operator });
    assert.deepEqual([none.status, none.json], [200, noPlan]);
    const replay = await client.post(target, plan, { caller: operator, key });
    assert.deepEqual([replay.text, replay.headers.get('idempotent-replayed')], [first.text, 'true']);
    assert.deepEqual((await tenantOf(merchantId)).plan, noPlan, 'a replay sets nothing');
    assertProblem(
      await client.post(target, { ...plan, burst: 1 }, { caller: operator, key }),
      422,
      'idempotency_key_reused',
    );
    assertProblem(await client.post(target, plan, { caller: merchantCaller(merchantId) }), 403, 'forbidden');
    const gone = `/v1/merchants/${randomUUID()}/plan`;
    assertProblem(await client.post(gone, plan, { caller: operator }), 404, 'not_found');
  });

  it('lets a merchant set its own origins, exactly, and tells the edge which there are', async () => {
    const [merchantId, otherId] = [await onboard(), await onboard()];
    const target = `/v1/merchants/${merchantId}/allowed-origins`;
    const caller = merchantCaller(merchantId);
    const isAllowed = async (origin: string) =>
      (await client.get(`/internal/origins?${new URLSearchParams({ origin })}`, { caller: theEdge })).status;
    const allowed_origins = ['https://shop.example', 'https://app.example:8443'];
    const created = merchants.createdApiKey.parse(
      (await client.post(`/v1/merchants/${merchantId}/api-keys`, { name: 'x' }, { caller: operator })).json,
    );
    assert.deepEqual(
      merchants.keyGrant.parse((await grantOf(client, created.key ?? '')).json).tenant?.allowed_origins,
      [],
    );
    assert.equal(await isAllowed('https://shop.example'), 404);
    const twice = [...allowed_origins, 'https://shop.example'];
    const set = await client.post(target, { allowed_origins: twice }, { caller });
    assert.deepEqual([set.status, set.json], [200, { allowed_origins: [...allowed_origins].sort() }], set.text);
    const grant = merchants.keyGrant.parse((await grantOf(client, created.key ?? '')).json);
    assert.deepEqual(grant.tenant?.allowed_origins, [...allowed_origins].sort(), 'at once, though it was known');
    for (const origin of allowed_origins) assert.equal(await isAllowed(origin), 200);
    for (const origin of ['https://shop.exampl', 'https://SHOP.example', '*', "https://a' or '1'='1"]) {
      assert.equal(await isAllowed(origin), 404, origin);
    }
    const others = `/v1/merchants/${otherId}/allowed-origins`;
    assertProblem(await client.post(others, { allowed_origins }, { caller }), 404, 'not_found');
    assert.equal((await client.post(target, { allowed_origins: [] }, { caller: operator })).status, 200);
    assert.equal(await isAllowed('https://shop.example'), 404);
  });

  it('points at origins and plans that are none', async () => {
    const merchantId = await onboard();
    const origins = [
      '*',
      'null',
      'http://shop.example',
      'https://shop.example/',
      'https://Shop.example',
      'https://a:443',
    ];
    for (const origin of [
      ...origins,
      'https://a:70000',
      'https://*.example',
      'https://a b',
      `https://${'a'.repeat(260)}`,
    ]) {
      const body = { allowed_origins: ['https://ok.example', origin] };
      const answer = await client.post(`/v1/merchants/${merchantId}/allowed-origins`, body, { caller: operator });
      const { errors } = assertProblem(answer, 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, '/allowed_origins/1', origin);
    }
    const many = Array.from({ length: limits.allowedOriginsMax + 1 }, (_, at) => `https://a${at}.example`);
    const target = `/v1/merchants/${merchantId}/allowed-origins`;
    assertProblem(await client.post(target, { allowed_origins: many }, { caller: operator }), 400, 'invalid_request');
    for (const change of [
      { burst: 0 },
      { requests_per_minute: 10_000_001 },
      { requests_per_month: 1.5 },
      { more: 1 },
    ]) {
      const answer = await client.post(
        `/v1/merchants/${merchantId}/plan`,
        { ...noPlan, ...change },
        { caller: operator },
      );
      assert.equal(assertProblem(answer, 400, 'invalid_request').errors?.[0]?.pointer, `/${Object.keys(change)[0]}`);
    }
  });

  it('tells nobody but the edge of merchants and their origins', async () => {
    const merchantId = await onboard();
    for (const target of [`/internal/tenants/${merchantId}`, '/internal/origins?origin=https%3A%2F%2Fa.example']) {
      for (const caller of [operator, merchantCaller(merchantId)]) {
        assertProblem(await client.get(target, { caller }), 403, 'forbidden');
      }
    }
    for (const target of [`/internal/tenants/${randomUUID()}`, '/internal/tenants/x']) {
      assertProblem(await client.get(target, { caller: theEdge }), 404, 'not_found');
    }
    assertProblem(await client.get('/internal/origins?origin=', { caller: theEdge }), 400, 'invalid_request');
  });

  it('forgets a key as soon as it is revoked, and revokes it once', async () => {
    const merchantId = await onboard();
    const target = `/v1/merchants/${merchantId}/api-keys`;
    const created = merchants.createdApiKey.parse(
      (await client.post(target, { name: 'x' }, { caller: operator })).json,
    );
    assert.deepEqual(created.scopes, merchants.merchantScopes);
    assert.equal((await grantOf(client, created.key ?? '')).status, 200);
    const key = randomUUID();
    const revoke = () => client.send('POST', `${target}/${created.id}/revoke`, { caller: operator, key });
    const first = await revoke();
    assert.equal(first.status, 200, first.text);
    assert.notEqual(merchants.apiKey.parse(first.json).revoked_at, null);
    assertProblem(await grantOf(client, created.key ?? ''), 404, 'not_found');
    const again = await revoke();
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    const withAnotherKey = await client.send('POST', `${target}/${created.id}/revoke`, { caller: operator, key: 'k' });
    assert.deepEqual([withAnotherKey.text, withAnotherKey.headers.get('idempotent-replayed')], [first.text, null]);
  });

  it('tells nobody but the edge what keys allow, and the edge what the operator may', async () => {
    const grant = merchants.keyGrant.parse((await grantOf(client, adminToken)).json);
    assert.deepEqual([grant.merchant_id, grant.scopes], [null, ['admin']]);
    const target = `/internal/keys/${hash('sha256', adminToken, 'hex')}`;
    assertProblem(await client.get(target, { caller: operator }), 403, 'forbidden');
    assertProblem(await client.get('/internal/keys/ABC', { caller: theEdge }), 404, 'not_found');
    assertProblem(await grantOf(client, 'lp_live_nothing'), 404, 'not_found');
  });

  it('lets a merchant create programs and see its own things only', async () => {
    const [merchantId, otherId] = [await onboard(), await onboard()];
    const [caller, other] = [merchantCaller(merchantId), merchantCaller(otherId)];
    const created = await client.post('/v1/programs', { name: 'Stars', unit: 'PTS' }, { caller });
    const program = merchants.program.parse(created.json);
    assert.deepEqual([program.merchant_id, program.scale], [merchantId, 0]);
    const path = `/v1/programs/${program.id}`;
    for (const seeing of [caller, operator])
      assert.equal((await client.get(path, { caller: seeing })).text, created.text);
    assertProblem(await client.get(path, { caller: other }), 404, 'not_found');
    assertProblem(await client.get(`/v1/merchants/${merchantId}`, { caller: other }), 404, 'not_found');
    assert.equal((await client.get(`/v1/merchants/${merchantId}`, { caller })).status, 200);
    assertProblem(
      await client.post('/v1/programs', { name: 'Stars', unit: 'PTS' }, { caller: operator }),
      403,
      'forbidden',
    );
    assertProblem(await client.post('/v1/merchants', { name: 'No' }, { caller }), 403, 'forbidden');
  });

  it('keeps what a program asks of the ledger, and shows it', async () => {
    const caller = merchantCaller(await onboard());
    const usual = { point_expiry: null, reversal_policy: { type: 'refuse' }, hold_expires_in_s: 604_800 };
    const rules: readonly (readonly [object, object])[] = [
      [{}, {}],
      [{ point_expiry: { period: 'months', count: 12 } }, { point_expiry: expiry('months', 12, false) }],
      [{ point_expiry: expiry('months', 120, true) }, { point_expiry: expiry('months', 120, true) }],
      [{ point_expiry: expiry('days', 3_650, false) }, { point_expiry: expiry('days', 3_650, false) }],
      [{ reversal_policy: { type: 'recover' } }, { reversal_policy: { type: 'recover' } }],
      [{ reversal_policy: { type: 'negative', limit: 1e12 } }, { reversal_policy: { type: 'negative', limit: 1e12 } }],
      [{ hold_expires_in_s: 1 }, { hold_expires_in_s: 1 }],
    ];
    for (const [asked, shown] of rules) {
      const created = await client.post('/v1/programs', { name: 'Stars', unit: 'PTS', ...asked }, { caller });
      assert.equal(created.status, 201, created.text);
      const { point_expiry, reversal_policy, hold_expires_in_s, id } = merchants.program.parse(created.json);
      assert.deepEqual({ point_expiry, reversal_policy, hold_expires_in_s }, { ...usual, ...shown });
      assert.equal((await client.get(`/v1/programs/${id}`, { caller })).text, created.text);
    }
  });

  it('points at what a program cannot ask', async () => {
    const caller = merchantCaller(await onboard());
    const wrong: readonly (readonly [object, string])[] = [
      [{ point_expiry: expiry('months', 121, false) }, '/point_expiry/count'],
      [{ point_expiry: expiry('days', 3_651, false) }, '/point_expiry/count'],
      [{ point_expiry: expiry('days', 0, false) }, '/point_expiry/count'],
      [{ point_expiry: { period: 'years', count: 1 } }, '/point_expiry/period'],
      [{ point_expiry: { period: 'days', count: 1, end_of_month: 1 } }, '/point_expiry/end_of_month'],
      [{ point_expiry: 'P12M' }, '/point_expiry'],
      [{ reversal_policy: { type: 'negative' } }, '/reversal_policy/limit'],
      [{ reversal_policy: { type: 'negative', limit: 0 } }, '/reversal_policy/limit'],
      [{ reversal_policy: { type: 'refuse', limit: 1 } }, '/reversal_policy/limit'],
      [{ reversal_policy: { type: 'forget' } }, '/reversal_policy/type'],
      [{ hold_expires_in_s: 0 }, '/hold_expires_in_s'],
      [{ hold_expires_in_s: 2_592_001 }, '/hold_expires_in_s'],
    ];
    for (const [members, pointer] of wrong) {
      const answer = await client.post('/v1/programs', { name: 'Stars', unit: 'PTS', ...members }, { caller });
      const { errors } = assertProblem(answer, 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, pointer, JSON.stringify(members));
    }
  });

  it('tells programs apart by their rules, and knows one that was created before there were any', async () => {
    const merchantId = await onboard();
    const caller = merchantCaller(merchantId);
    const key = randomUUID();
    const send = (rules: object) =>
      client.post('/v1/programs', { name: 'Stars', unit: 'PTS', ...rules }, { caller, key });
    const sql = stack.sql();
    const requestHash = hash('sha256', JSON.stringify(['Stars', 'PTS', 0]), 'hex');
    await sql`insert into programs (id, merchant_id, name, unit, scale, creator, idempotency_key, request_hash)
      values (${randomUUID()}, ${merchantId}, 'Stars', 'PTS', 0, ${merchantId}, ${key}, decode(${requestHash}, 'hex'))`;
    for (const rules of [{}, { reversal_policy: { type: 'refuse' }, hold_expires_in_s: 604_800 }]) {
      const again = await send(rules);
      assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true'], again.text);
    }
    for (const rules of [{ hold_expires_in_s: 60 }, { point_expiry: expiry('days', 1, false) }]) {
      assertProblem(await send(rules), 422, 'idempotency_key_reused');
    }
  });

  it('keeps the keys of different callers apart', async () => {
    const callers = [merchantCaller(await onboard()), merchantCaller(await onboard())];
    const key = randomUUID();
    const send = (caller: object) => client.post('/v1/programs', { name: 'P', unit: 'PTS' }, { caller, key });
    const answers = await Promise.all(callers.map(send));
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('idempotent-replayed')]),
      [
        [201, null],
        [201, null],
      ],
    );
  });

  it('answers 404 for what does not exist and what is no id', async () => {
    const gone = randomUUID();
    const targets = [`/v1/merchants/${gone}`, `/v1/programs/${gone}`, '/v1/merchants/x', '/v1/programs/%00'];
    for (const target of targets) assertProblem(await client.get(target, { caller: operator }), 404, 'not_found');
    const keys = `/v1/merchants/${gone}/api-keys`;
    assertProblem(await client.post(keys, { name: 'k' }, { caller: operator }), 404, 'not_found');
    assertProblem(
      await client.send('POST', `${keys}/${gone}/revoke`, { caller: operator, key: 'k' }),
      404,
      'not_found',
    );
  });
});
