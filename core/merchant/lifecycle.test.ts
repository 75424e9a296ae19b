/** A merchant's states on a real Postgres: what may become of it, by whose will, and that its keys and customers follow. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { lifecycle, merchantOnboardedEvent, merchants } from '@local-plus/contracts';
import type postgres from 'postgres';
import {
  assertProblem,
  type Caller,
  eventually,
  merchantCaller,
  operator,
  type SignedClient,
  TestStack,
  theEdge,
} from '../test/stack.ts';
import { newMerchant, parsed } from '../test/tenant.ts';
import { lifecycleTable, type Party } from './lifecycle.ts';
import { grantOf } from './test/grant.ts';

const ownerOf = (merchantId: string): Caller => ({ merchantId, subject: 'owner-1', scopes: merchants.keyScopes });

describe('the life of a merchant', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let elsewhere: SignedClient;
  let sql: postgres.Sql;

  before(async () => {
    [client, elsewhere] = await stack.serveTwo();
    sql = stack.sql(2);
  });
  after(() => stack.stop());

  const draft = (status: 'draft' | 'active' = 'draft'): Promise<string> =>
    newMerchant(client, { name: 'Bakery', status });

  function move(id: string, action: lifecycle.LifecycleAction, caller: Caller = operator, key: string = randomUUID()) {
    return client.post(`/v1/merchants/${id}/transitions`, { action, reason: `to ${action}` }, { caller, key });
  }

  async function statusOf(id: string) {
    return parsed(await client.get(`/v1/merchants/${id}`, { caller: operator }), 200, merchants.merchant).status;
  }

  async function waiting() {
    return (await sql`select count(*)::int as count from pg_locks where not granted`)[0]?.['count'];
  }

  async function events(id: string) {
    const rows = await sql`select payload from outbox where aggregate_id = ${id} order by place`;
    return rows.map(({ payload }) => merchantOnboardedEvent.parse(payload).data);
  }

  it('goes from draft over submitted to active, is suspended, goes on, and ends', async () => {
    const id = await draft();
    assert.deepEqual([await statusOf(id), await events(id)], ['draft', []]);
    const steps = ['submit', 'return', 'submit', 'activate', 'suspend', 'resume', 'close'] as const;
    const states: string[] = ['draft'];
    for (const [index, action] of steps.entries()) {
      const row = parsed(await move(id, action), 201, lifecycle.transition);
      assert.deepEqual(
        [row.place, row.from, row.action, row.reason, row.actor],
        [index + 1, states.at(-1), action, `to ${action}`, 'operator'],
      );
      states.push(row.to);
      assert.equal(await statusOf(id), row.to);
    }
    assert.deepEqual(states, ['draft', 'submitted', 'draft', 'submitted', 'active', 'suspended', 'active', 'closed']);
    assert.deepEqual(await events(id), [{ merchant_id: id, name: 'Bakery' }], 'it is onboarded once');
    const target = `/v1/merchants/${id}/transitions`;
    const page = parsed(await client.get(`${target}?limit=5`, { caller: ownerOf(id) }), 200, lifecycle.transitionPage);
    const rest = parsed(
      await client.get(`${target}?cursor=${page.next_cursor}`, { caller: operator }),
      200,
      lifecycle.transitionPage,
    );
    assert.deepEqual(
      [...page.data, ...rest.data].map(({ place }) => place),
      [7, 6, 5, 4, 3, 2, 1],
    );
    assertProblem(await client.get(`${target}?cursor=0`, { caller: operator }), 400, 'invalid_cursor');
  });

  it('announces who is active from the start, and nobody who is not', async () => {
    const id = await draft('active');
    assert.deepEqual(await events(id), [{ merchant_id: id, name: 'Bakery' }]);
  });

  const ways: Readonly<Record<merchants.MerchantStatus, readonly lifecycle.LifecycleAction[]>> = {
    draft: [],
    submitted: ['submit'],
    active: ['submit', 'activate'],
    suspended: ['submit', 'activate', 'suspend'],
    closed: ['close'],
  };
  const parties = { owner: ownerOf, operator: () => operator } as const;

  for (const status of merchants.merchantStatuses) {
    for (const action of lifecycle.lifecycleActions) {
      it(`lets a ${status} merchant ${action} as the table says, by whom it says`, async () => {
        for (const party of ['owner', 'operator'] as const) await tryStep(status, action, party);
      });
    }
  }

  async function tryStep(status: merchants.MerchantStatus, action: lifecycle.LifecycleAction, party: Party) {
    const step = lifecycleTable[status][action];
    const id = await draft();
    for (const way of ways[status]) await move(id, way);
    const answer = await move(id, action, parties[party](id));
    if (step === undefined) assertProblem(answer, 409, 'transition_refused');
    else if (step.by.includes(party)) assert.equal(parsed(answer, 201, lifecycle.transition).to, step.to);
    else assertProblem(answer, 403, 'forbidden');
    assert.equal(await statusOf(id), answer.status === 201 ? step?.to : status);
  }

  it('moves once for one key, and one of many at the same time', async () => {
    const id = await draft();
    const key = randomUUID();
    const first = await move(id, 'submit', operator, key);
    await move(id, 'return');
    const again = await move(id, 'submit', operator, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assert.equal(await statusOf(id), 'draft', 'a replay moves nothing');
    assertProblem(await move(id, 'close', operator, key), 422, 'idempotency_key_reused');
    const answers = await Promise.all(Array.from({ length: 10 }, () => move(id, 'submit')));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array.from({ length: 9 }, () => 409)]);
  });

  it('is refused what it is past by what it is then, and nothing that it may do whatever it became', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await draft('active');
      const [suspended, closed] = await Promise.all([move(id, 'suspend'), move(id, 'close')]);
      assert.equal(parsed(closed, 201, lifecycle.transition).to, 'closed');
      if (suspended.status === 201) continue;
      const { detail } = assertProblem(suspended, 409, 'transition_refused');
      assert.equal(detail, 'A merchant that is closed does not suspend; possible: nothing.');
    }
  });

  it('is suspended while its plan and origins change: no two wait for each other', async () => {
    const id = await draft('active');
    const plan = { requests_per_minute: 1_000, burst: 10, requests_per_month: null };
    const changes = { plan, 'allowed-origins': { allowed_origins: ['https://shop.example.com'] } };
    for (const [path, body] of Object.entries(changes)) {
      for (const action of ['suspend', 'resume'] as const) {
        const { asked } = await sql.begin(async (other) => {
          // Of its audit trail: each of the two has locked what comes before that.
          await other`select pg_advisory_xact_lock(hashtextextended(${id}, 17))`;
          const change = client.post(`/v1/merchants/${id}/${path}`, body, { caller: operator });
          await eventually('the change waits', async () => (await waiting()) === 1);
          const moved = move(id, action);
          await eventually('both wait', async () => (await waiting()) === 2);
          return { asked: [change, moved] };
        });
        const [changed, moved] = await Promise.all(asked);
        assert.deepEqual([changed?.status, moved?.status], [200, 201], `${changed?.text} ${moved?.text}`);
      }
    }
  });

  it('tells its trail what was set before, also when many set it at once', async () => {
    const id = await draft('active');
    const set = (index: number) => {
      const body = { allowed_origins: [`https://shop-${index}.example.com`] };
      return client.post(`/v1/merchants/${id}/allowed-origins`, body, { caller: operator });
    };
    const answers = await Promise.all([...Array.from({ length: 8 }, (_, index) => set(index)), move(id, 'suspend')]);
    for (const { status, text } of answers) assert.ok(status === 200 || status === 201, text);
    const entries = await sql<{ before: merchants.AllowedOrigins; after: merchants.AllowedOrigins }[]>`
      select entry->'before' as before, entry->'after' as after from audit_entries
      where entry #>> '{target,id}' = ${id} and entry->>'action' = 'merchant.set_allowed_origins' order by place`;
    const chain = [[], ...entries.map(({ after }) => after.allowed_origins)];
    assert.deepEqual(
      entries.map(({ before }) => before.allowed_origins),
      chain.slice(0, -1),
    );
    assert.equal(entries.length, 8);
  });

  it('stops its keys and customers everywhere within seconds, and lets them go on', async () => {
    const id = await draft('active');
    const created = await client.post(`/v1/merchants/${id}/api-keys`, { name: 'till' }, { caller: operator });
    const { key } = parsed(created, 201, merchants.createdApiKey);
    const keyIs = async (each: SignedClient) => (await grantOf(each, key)).status;
    const told = async (each: SignedClient) =>
      merchants.tenant.parse((await each.get(`/internal/tenants/${id}`, { caller: theEdge })).json).status;
    for (const each of [client, elsewhere]) assert.deepEqual([await keyIs(each), await told(each)], [200, 'active']);
    await move(id, 'suspend');
    for (const each of [client, elsewhere]) {
      await eventually('the key is refused', async () => (await keyIs(each)) === 404);
      await eventually('customers are', async () => (await told(each)) === 'suspended');
    }
    await move(id, 'resume');
    for (const each of [client, elsewhere]) {
      await eventually('the key is good again', async () => (await keyIs(each)) === 200);
      await eventually('customers are', async () => (await told(each)) === 'active');
    }
    await move(id, 'close');
    for (const each of [client, elsewhere])
      await eventually('and never again', async () => (await keyIs(each)) === 404);
  });

  it('is nobody else’s to see or to change', async () => {
    const id = await draft();
    const stranger = ownerOf(await draft());
    assertProblem(await move(id, 'submit', stranger), 404, 'not_found');
    assertProblem(await client.get(`/v1/merchants/${id}/transitions`, { caller: stranger }), 404, 'not_found');
    assertProblem(await move(id, 'submit', merchantCaller(id)), 403, 'forbidden');
    assert.equal(await statusOf(id), 'draft');
  });
});
