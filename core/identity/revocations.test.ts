/** Revocations on a real Postgres: kept once, told to the edge and nobody else, in an order that hides none. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { limits, revocations } from '@local-plus/contracts';
import type postgres from 'postgres';
import {
  assertProblem,
  eventually,
  merchantCaller,
  nobody,
  operator,
  type SignedClient,
  TestStack,
  theEdge,
} from '../test/stack.ts';
import { ENDED_WITHIN_MS, inTime } from '../test/time.ts';

const target = '/v1/admin/revocations';
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

describe('revocations', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql(2);
  });
  after(() => stack.stop());

  async function revoke(change: object = {}, key: string = randomUUID()) {
    const body = { kind: 'token', value: randomUUID(), expires_at: inAnHour(), ...change };
    return client.post(target, body, { caller: operator, key });
  }

  async function list(from: number): Promise<revocations.ListPage> {
    const answer = await client.get(`/internal/revocations?after=${from}`, { caller: theEdge });
    assert.equal(answer.status, 200, answer.text);
    return revocations.listPage.parse(answer.json);
  }

  it('are kept once for one key, and told to the edge from then on', async () => {
    const { next } = await list(0);
    const [key, expires_at, merchant_id] = [randomUUID(), inAnHour(), randomUUID()];
    const wanted = { kind: 'subject', value: 'customer-1', expires_at, merchant_id };
    const first = await revoke(wanted, key);
    assert.equal(first.status, 201, first.text);
    const shown = revocations.revocation.parse(first.json);
    assert.deepEqual(
      [shown.kind, shown.value, shown.expires_at, shown.merchant_id],
      ['subject', 'customer-1', expires_at, merchant_id],
    );
    const again = await revoke(wanted, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assertProblem(await revoke({ ...wanted, value: 'customer-2' }, key), 422, 'idempotency_key_reused');
    const page = await list(next);
    const expires_at_ms = Date.parse(expires_at);
    assert.deepEqual(page.data, [{ kind: 'subject', value: 'customer-1', merchant_id, expires_at_ms }]);
    assert.deepEqual(await list(page.next), { data: [], next: page.next, is_last: true });
  });

  it('that have expired are told to nobody, and are replayed all the same', async () => {
    const { next, wanted, key, first } = await inTime(async (lifeMs) => {
      const { next } = await list(0);
      const [key, wanted] = [randomUUID(), { value: 'soon', expires_at: new Date(Date.now() + lifeMs).toISOString() }];
      const first = await revoke(wanted, key);
      assert.equal(first.status, 201, first.text);
      assert.equal((await list(next)).data.length, 1);
      return { next, wanted, key, first };
    });
    await eventually('it has expired', async () => (await list(next)).data.length === 0, ENDED_WITHIN_MS);
    const again = await revoke(wanted, key);
    assert.deepEqual([again.status, again.text], [201, first.text]);
  });

  it('that expired long ago go when there are new ones, and no others', async () => {
    const ended = async () => {
      const rows = await sql<
        { value: string }[]
      >`select value from revocations where value like 'ended %' order by value`;
      return rows.map(({ value }) => value);
    };
    await sql`insert into revocations (place, id, kind, value, expires_at, creator, idempotency_key, request_hash)
      select nextval('revocation_places'), gen_random_uuid(), 'token', 'ended ' || hours,
        now() - hours * interval '1 hour', gen_random_uuid(), 'k', '' from unnest(array[23, 25]) as hours`;
    assertProblem(await revoke({ expires_at: new Date(Date.now() - 1_000).toISOString() }), 400, 'invalid_request');
    assert.deepEqual(await ended(), ['ended 23', 'ended 25']);
    assert.equal((await revoke()).status, 201);
    assert.deepEqual(await ended(), ['ended 23']);
  });

  it('are the operator’s to make, and the edge’s to read', async () => {
    const body = { kind: 'token', value: 'a', expires_at: inAnHour() };
    for (const caller of [merchantCaller(randomUUID()), nobody]) {
      assertProblem(await client.post(target, body, { caller }), 403, 'forbidden');
    }
    for (const caller of [operator, merchantCaller(randomUUID()), nobody]) {
      assertProblem(await client.get('/internal/revocations', { caller }), 403, 'forbidden');
    }
    assertProblem(await client.send('POST', target, { caller: operator, body }), 400, 'idempotency_key_missing');
  });

  it('point at what is wrong with them', async () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ kind: 'key' }, '/kind'],
      [{ value: '' }, '/value'],
      [{ value: 'a b' }, '/value'],
      [{ value: 'a'.repeat(129) }, '/value'],
      [{ merchant_id: 'x' }, '/merchant_id'],
      [{ expires_at: 'tomorrow' }, '/expires_at'],
      [{ expires_at: new Date(Date.now() - 1_000).toISOString() }, '/expires_at'],
      [{ expires_at: new Date(Date.now() + (limits.revocationDaysMax + 1) * 86_400_000).toISOString() }, '/expires_at'],
      [{ reason: 'stolen' }, '/reason'],
    ];
    for (const [change, pointer] of wrong) {
      const { errors } = assertProblem(await revoke(change), 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, pointer, JSON.stringify(change));
    }
    for (const query of ['after=-1', 'after=x', 'after=1&after=2', 'before=1', 'after=1e99']) {
      const answer = await client.get(`/internal/revocations?${query}`, { caller: theEdge });
      assertProblem(answer, 400, 'invalid_request');
    }
  });

  it('become visible in the order of their places, however slow one is (R1)', async () => {
    const { next } = await list(0);
    let seen: revocations.ListPage = { data: [], next, is_last: true };
    let second: ReturnType<typeof revoke> | null = null;
    await sql.begin(async (slow) => {
      await slow`select pg_advisory_xact_lock(7077008)`;
      await slow`insert into revocations (place, id, kind, value, expires_at, creator, idempotency_key, request_hash)
        values (nextval('revocation_places'), ${randomUUID()}, 'token', 'first', now() + interval '1 hour',
          ${randomUUID()}, 'k', '')`;
      second = revoke({ value: 'second' });
      await eventually('the second one waits for the first', async () => {
        const [waiting] = await sql`select count(*)::int as count from pg_locks
          where locktype = 'advisory' and objid = 7077008 and not granted`;
        return waiting?.['count'] === 1;
      });
      seen = await list(next);
    });
    assert.deepEqual(seen, { data: [], next, is_last: true });
    assert.equal((await (second as ReturnType<typeof revoke> | null))?.status, 201);
    assert.deepEqual(
      (await list(seen.next)).data.map(({ value }) => value),
      ['first', 'second'],
    );
  });

  it('come in pages, and the place after a page leads on', async () => {
    const { next } = await list(0);
    await sql`insert into revocations (place, id, kind, value, expires_at, creator, idempotency_key, request_hash)
      select nextval('revocation_places'), gen_random_uuid(), 'token', 'many-' || n, now() + interval '1 hour',
        gen_random_uuid(), 'k', '' from generate_series(1, 5001) as n`;
    const page = await list(next);
    assert.deepEqual([page.data.length, page.is_last], [5_000, false]);
    const rest = await list(page.next);
    assert.deepEqual([rest.data.map(({ value }) => value), rest.is_last], [['many-5001'], true]);
  });

  it('are no more than the edge can hold, however many are made at once; what expires makes room', async () => {
    const fill = (room: number) => sql`
      insert into revocations (place, id, kind, value, expires_at, creator, idempotency_key, request_hash)
      select nextval('revocation_places'), gen_random_uuid(), 'token', 'held', now() + interval '1 hour',
        gen_random_uuid(), 'k', ''
      from generate_series(1, ${limits.revocationsMax - room}
        - (select count(*)::int from revocations where expires_at > now()))`;
    await fill(3);
    const key = randomUUID();
    const body = { expires_at: inAnHour() };
    const answers = await Promise.all(Array.from({ length: 8 }, () => revoke(body)));
    const refused = answers.filter(({ status }) => status !== 201);
    assert.equal(refused.length, 5);
    for (const answer of refused) assert.ok(assertProblem(answer, 409, 'revocations_limit_exceeded').retryable);
    assertProblem(await revoke(body, key), 409, 'revocations_limit_exceeded');
    await sql`update revocations set expires_at = now() where id = (
      select id from revocations where value = 'held' limit 1)`;
    assert.equal((await revoke({ ...body, value: 'last' }, key)).status, 201, 'the key of what was refused is free');
    assertProblem(await revoke(body), 409, 'revocations_limit_exceeded');
  });
});
