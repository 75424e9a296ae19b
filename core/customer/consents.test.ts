/** Consents on a real Postgres: what was said last holds, whatever clocks say; what is granted can always be withdrawn. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type CustomerId, customers, limits, uuidV7 } from '@local-plus/contracts';
import type postgres from 'postgres';
import { idCursor } from '../platform/cursor/index.ts';
import { assertProblem, type Caller, type SignedClient, TestStack } from '../test/stack.ts';
import { allPages, parsed, Tenant } from '../test/tenant.ts';
import { ConsentStore } from './consents-store.ts';
import { customerCaller } from './test/caller.ts';

const { customer, consent, consentPage, mergedCustomers } = customers;
const purpose = 'marketing.email';
type Status = customers.Consent['status'];

describe('consents', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;
  let caller: Caller;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql();
    caller = customerCaller(await Tenant.open(client));
  });
  after(() => stack.stop());

  const post = (target: string, body: unknown) => client.post(target, body, { caller });
  const created = async () => parsed(await post('/v1/customers', {}), 201, customer).id;
  const say = (id: string, status: Status, more: object = {}) =>
    post(`/v1/customers/${id}/consents`, { purpose, status, source: 'web', ...more });
  const list = (id: string, query: string) => client.get(`/v1/customers/${id}/consents?${query}`, { caller });
  async function held(id: string): Promise<customers.Consent | undefined> {
    return parsed(await list(id, `limit=1&purpose=${purpose}`), 200, consentPage).data[0];
  }
  /** As a process would have written it whose clock is ahead of the database's. */
  const saidAhead = (id: string, status: Status) => sql`
    insert into customer_consents
      (id, customer_id, purpose, status, source, at, recorded_at, creator, idempotency_key, request_hash)
    select gen_random_uuid(), ${id}, ${purpose}, ${status}, 'web', at, at, gen_random_uuid(), 'k', ''
    from (select date_trunc('milliseconds', now()) + interval '1 minute' as at) as ahead`;

  it('hold as they were said last, also when the clock is behind that of what was said before', async () => {
    const id = await created();
    await saidAhead(id, 'granted');
    const ahead = await held(id);
    const withdrawn = parsed(await say(id, 'withdrawn'), 201, consent);
    assert.deepEqual(await held(id), withdrawn);
    assert.equal(withdrawn.at, ahead?.at, 'no sooner than what it withdraws');
    assert.ok(withdrawn.recorded_at < withdrawn.at);
    for (const status of ['granted', 'withdrawn', 'granted'] as const) {
      // What is still to come for the database counts as now, too.
      const at = new Date(Date.now() + 600_000).toISOString();
      const said = parsed(await say(id, status, { at }), 201, consent);
      assert.deepEqual([await held(id), said.at], [said, ahead?.at]);
    }
  });

  it('are in the order in which they were recorded where their moments are one, whatever their ids', async () => {
    const id = await created();
    await saidAhead(id, 'granted');
    const store = new ConsentStore(stack.pool());
    const recorded: string[] = [];
    for (const [index, status] of (['withdrawn', 'granted', 'withdrawn'] as const).entries()) {
      const key = { creator: randomUUID(), idempotencyKey: 'k', requestHash: '00' };
      // Each by a process whose clock is further behind.
      const consentId = uuidV7<string>(Date.now() - index * 3_600_000);
      const wanted = { id: consentId, customer_id: id as CustomerId, purpose, status, source: 'web', at: null };
      assert.equal((await store.record(key, wanted)).type, 'created');
      recorded.unshift(consentId);
    }
    const pages = await allPages(async (cursor) => parsed(await list(id, `limit=1${cursor}`), 200, consentPage));
    const seen = pages.flatMap(({ data }) => data.map((each) => each.id));
    assert.deepEqual(seen.slice(0, -1), recorded);
  });

  it('of who was merged are withdrawn by who it is now', async () => {
    const [stays, gone] = [await created(), await created()];
    for (let time = 0; time < 3; time++) await say(gone, 'granted');
    await saidAhead(gone, 'granted');
    parsed(await post(`/v1/customers/${stays}/merge`, { customer_id: gone }), 200, mergedCustomers);
    const { at } = (await held(stays)) ?? assert.fail('it is granted');
    const withdrawn = parsed(await say(gone, 'withdrawn'), 201, consent);
    assert.deepEqual([await held(stays), withdrawn.at, withdrawn.customer_id], [withdrawn, at, stays]);
  });

  it('are withdrawn also by who has as many as it can have, once for a purpose', async () => {
    const id = await created();
    await say(id, 'granted');
    await say(id, 'granted', { purpose: 'sms' });
    await sql`update customers set consents = ${limits.customerConsentsMax} where id = ${id}`;
    assertProblem(await say(id, 'granted', { purpose: 'post' }), 409, 'customer_limit_exceeded');
    assertProblem(await say(id, 'withdrawn', { at: '2020-01-01T00:00:00Z' }), 409, 'customer_limit_exceeded');
    assertProblem(await say(id, 'withdrawn', { purpose: 'never' }), 409, 'customer_limit_exceeded');
    for (const each of [purpose, 'sms']) {
      assert.equal(parsed(await say(id, 'withdrawn', { purpose: each }), 201, consent).status, 'withdrawn');
      assertProblem(await say(id, 'withdrawn', { purpose: each }), 409, 'customer_limit_exceeded');
      assertProblem(await say(id, 'granted', { purpose: each }), 409, 'customer_limit_exceeded');
    }
    assert.equal((await held(id))?.status, 'withdrawn');
  });

  it('are listed behind none but their own', async () => {
    const [id, other] = [await created(), await created()];
    const mine = parsed(await say(id, 'granted'), 201, consent);
    const theirs = parsed(await say(other, 'granted'), 201, consent);
    for (const stranger of [theirs.id, randomUUID()]) {
      assertProblem(await list(id, `cursor=${idCursor(stranger)}`), 400, 'invalid_cursor');
    }
    const behind = await list(id, `cursor=${idCursor(mine.id)}`);
    assert.deepEqual(parsed(behind, 200, consentPage), { data: [], next_cursor: null });
  });
});
