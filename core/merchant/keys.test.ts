/** API keys on a real Postgres: they expire, are rotated with an overlap, say when they were used, and give no more than their creator has. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { merchants } from '@local-plus/contracts';
import type postgres from 'postgres';
import { quiet } from '../test/log.ts';
import {
  assertProblem,
  type Caller,
  eventually,
  merchantCaller,
  operator,
  type SignedClient,
  TestStack,
} from '../test/stack.ts';
import { allPages, newMerchant, parsed } from '../test/tenant.ts';
import { anotherMillisecond, ENDED_WITHIN_MS, inTime } from '../test/time.ts';
import { KeyStore } from './keys-store.ts';
import { LastUsed } from './last-used.ts';
import { grantOf } from './test/grant.ts';

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const HOUR_MS = 3_600_000;

describe('API keys', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let merchantId: string;
  let target: string;
  let sql: postgres.Sql;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql(2);
    merchantId = await onboard();
    target = `/v1/merchants/${merchantId}/api-keys`;
  });
  after(() => stack.stop());

  const onboard = (): Promise<string> => newMerchant(client);
  async function create(body: object = {}, caller: Caller = operator): Promise<merchants.CreatedApiKey> {
    return parsed(await client.post(target, { name: 'till', ...body }, { caller }), 201, merchants.createdApiKey);
  }
  const owner = (scopes: readonly merchants.Scope[] = merchants.keyScopes): Caller => ({
    merchantId,
    subject: 'owner-1',
    scopes,
  });
  const isGood = async (key: string | null) => (await grantOf(client, key)).status === 200;
  const rotate = (id: string, body: object, caller: Caller = operator, key: string = randomUUID()) =>
    client.post(`${target}/${id}/rotate`, body, { caller, key });

  it('expire, wherever they are known', async () => {
    const { key, expires_at } = await inTime(async (lifeMs) => {
      const expires_at = inMs(lifeMs);
      const { key, expires_at: shown } = await create({ expires_at });
      assert.equal(shown, expires_at);
      assert.equal(merchants.keyGrant.parse((await grantOf(client, key)).json).expires_at_ms, Date.parse(expires_at));
      return { key, expires_at };
    });
    await eventually('it has expired', async () => !(await isGood(key)), ENDED_WITHIN_MS);
    assert.ok(Date.now() >= Date.parse(expires_at));
    const { errors } = assertProblem(
      await client.post(target, { name: 'x', expires_at: inMs(-1_000) }, { caller: operator }),
      400,
      'invalid_request',
    );
    assert.equal(errors?.[0]?.pointer, '/expires_at');
  });

  it('are rotated: the successor can what the old one could, which ends after the overlap', async () => {
    const plan = { requests_per_minute: 77, burst: 9, requests_per_month: 1_000 };
    const { old, successor, body, key } = await inTime(async (lifeMs) => {
      const old = await create({ name: 'till 3', scopes: ['wallets:read'], ...plan });
      assert.ok(await isGood(old.key));
      const [key, body] = [randomUUID(), { overlap_s: lifeMs / 1_000 }];
      const successor = parsed(await rotate(old.id, body, operator, key), 201, merchants.createdApiKey);
      assert.deepEqual([await isGood(old.key), await isGood(successor.key)], [true, true], 'both, for a while');
      return { old, successor, body, key };
    });
    const { name, scopes, requests_per_minute, burst, requests_per_month, rotated_from, expires_at } = successor;
    assert.deepEqual({ requests_per_minute, burst, requests_per_month }, plan);
    assert.deepEqual([name, scopes, rotated_from, expires_at], ['till 3', ['wallets:read'], old.id, null]);
    assert.notEqual(successor.key, old.key);
    await eventually('the old one has ended', async () => !(await isGood(old.key)), ENDED_WITHIN_MS);
    assert.ok(await isGood(successor.key));
    const replay = await rotate(old.id, body, operator, key);
    assert.equal(replay.headers.get('idempotent-replayed'), 'true');
    assert.deepEqual(replay.json, { ...successor, key: null });
    assertProblem(await rotate(old.id, {}), 409, 'api_key_ended');
    assertProblem(await rotate(successor.id, { overlap_s: 30 * 24 * 3_600 + 1 }), 400, 'invalid_request');
  });

  it('with an end of their own keep it when it is sooner than the overlap’s', async () => {
    const expires_at = inMs(HOUR_MS);
    const old = await create({ expires_at });
    const given = inMs(2 * HOUR_MS);
    const successor = parsed(
      await rotate(old.id, { overlap_s: 7_200, expires_at: given }),
      201,
      merchants.createdApiKey,
    );
    assert.equal(successor.expires_at, given);
    const { data } = parsed(await client.get(target, { caller: operator }), 200, merchants.apiKeyPage);
    assert.equal(data.find(({ id }) => id === old.id)?.expires_at, expires_at);
    assertProblem(await rotate(successor.id, { expires_at: inMs(-1) }), 400, 'invalid_request');
  });

  it('that are revoked are rotated no more; a successor from before stands by itself', async () => {
    for (let round = 0; round < 5; round++) {
      const old = await create();
      const [rotated, revoked] = await Promise.all([
        rotate(old.id, { overlap_s: 60 }),
        client.send('POST', `${target}/${old.id}/revoke`, { caller: operator, key: randomUUID() }),
      ]);
      assert.equal(revoked.status, 200);
      if (rotated.status === 201) assert.ok(await isGood(merchants.createdApiKey.parse(rotated.json).key));
      else assertProblem(rotated, 409, 'api_key_ended');
      assert.equal(await isGood(old.key), false);
      assertProblem(await rotate(old.id, {}), 409, 'api_key_ended');
    }
  });

  it('that are rotated at the same time tell the trail when they ended before', async () => {
    for (let round = 0; round < 5; round++) {
      const old = await create();
      const answers = await Promise.all([1, 2, 3].map((hours) => rotate(old.id, { overlap_s: hours * 3_600 })));
      for (const answer of answers) parsed(answer, 201, merchants.createdApiKey);
      const entries = await sql<{ before: { expires_at: string | null } }[]>`
        select entry->'before' as before from audit_entries
        where entry #>> '{target,id}' = ${old.id} and entry->>'action' = 'api_key.rotate' order by place`;
      const [first, ...later] = entries.map(({ before }) => before.expires_at);
      assert.equal(first, null);
      assert.equal(later.length, 2);
      for (const moment of later) assert.notEqual(moment, null);
      assert.deepEqual(later, later.toSorted().reverse(), 'no later than before');
    }
  });

  it('that are revoked answer the same again, also when what was noted of their use is written later', async () => {
    // Never shown to core: a use would be written behind, at a moment of its own.
    const { id } = await create();
    const revoke = (idempotencyKey: string) =>
      client.send('POST', `${target}/${id}/revoke`, { caller: operator, key: idempotencyKey });
    const first = await revoke('first');
    assert.equal(parsed(first, 200, merchants.apiKey).last_used_at, null);
    await new KeyStore(stack.pool()).used(new Map([[id, Date.now()]]));
    const again = await revoke('first');
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assert.deepEqual((await revoke('second')).text, first.text);
  });

  it('are noted as used by two processes at once, in whatever order each has them', async () => {
    const [first, held, last] = [(await create()).id, (await create()).id, (await create()).id].sort();
    assert.ok(first && held && last);
    // As in a large table: rows are looked up in the order in which they are given.
    for (const way of ['hashjoin', 'mergejoin', 'seqscan']) {
      await sql.unsafe(`alter role current_user set enable_${way} = off`);
    }
    const store = new KeyStore(stack.pool());
    const nowMs = Date.now();
    const waiting = async () =>
      (await sql`select count(*)::int as count from pg_locks where not granted`)[0]?.['count'];
    const both = await sql.begin(async (other) => {
      await other`select from api_keys where id = ${held} for update`;
      const orders = [
        [first, held, last],
        [last, held, first],
      ];
      const writes = orders.map((ids, index) => store.used(new Map(ids.map((id) => [id, nowMs + index]))));
      await eventually('both wait', async () => (await waiting()) === 2);
      return { writes };
    });
    await Promise.all(both.writes);
    await sql`alter role current_user reset all`;
    const [row] = await sql`select count(*)::int as count from api_keys
      where id = any(${[first, held, last]}) and last_used_at = ${new Date(nowMs + 1)}`;
    assert.equal(row?.['count'], 3);
  });

  it('are listed page by page, newest first, without their secrets', async () => {
    const other = await onboard();
    const keys = `/v1/merchants/${other}/api-keys`;
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      const made = parsed(
        await client.post(keys, { name: `k${n}` }, { caller: operator }),
        201,
        merchants.createdApiKey,
      );
      ids.unshift(made.id);
      await anotherMillisecond();
    }
    const pages = await allPages(async (cursor) => {
      const answer = await client.get(`${keys}?limit=2${cursor}`, { caller: { ...owner(), merchantId: other } });
      assert.doesNotMatch(answer.text, /lp_live_[A-Za-z0-9_-]{5}/);
      return parsed(answer, 200, merchants.apiKeyPage);
    });
    const seen = pages.flatMap(({ data }) => data.map(({ id }) => id));
    assert.deepEqual(seen, ids);
    assertProblem(await client.get(`${keys}?cursor=x`, { caller: operator }), 400, 'invalid_cursor');
    assertProblem(await client.get(keys, { caller: owner() }), 404, 'not_found');
  });

  it('are their merchant’s to manage, by who has the scope, and no scope is given that the giver lacks', async () => {
    assertProblem(await client.post(target, { name: 'x' }, { caller: merchantCaller(merchantId) }), 403, 'forbidden');
    const made = await create({}, owner());
    assert.deepEqual(made.scopes, merchants.merchantScopes, 'nothing administrative unless asked for');
    assert.deepEqual((await create({ scopes: ['audit:read'] }, owner())).scopes, ['audit:read']);
    const clerk = owner(['keys:write', 'wallets:read']);
    assert.deepEqual((await create({}, clerk)).scopes, ['wallets:read']);
    assertProblem(
      await client.post(target, { name: 'x', scopes: ['wallets:write'] }, { caller: clerk }),
      403,
      'forbidden',
    );
    assertProblem(await client.post(target, { name: 'x' }, { caller: owner(['keys:write']) }), 403, 'forbidden');
    assertProblem(await rotate(made.id, {}, clerk), 403, 'forbidden');
    assertProblem(
      await client.post(target, { name: 'x', scopes: ['admin'] }, { caller: operator }),
      400,
      'invalid_request',
    );
    parsed(
      await client.send('POST', `${target}/${made.id}/revoke`, { caller: clerk, key: 'k' }),
      200,
      merchants.apiKey,
    );
    const stranger = { ...owner(), merchantId: await onboard() };
    for (const verb of ['rotate', 'revoke']) {
      const body = verb === 'rotate' ? {} : undefined;
      const answer = await client.send('POST', `${target}/${made.id}/${verb}`, {
        caller: stranger,
        key: randomUUID(),
        body,
      });
      assertProblem(answer, 404, 'not_found');
    }
  });

  it('say to the minute when they were used', async () => {
    const own = new TestStack();
    const { client: there, app } = await own.serve();
    const { id } = parsed(
      await there.post('/v1/merchants', { name: 'M' }, { caller: operator }),
      201,
      merchants.merchant,
    );
    const keys = `/v1/merchants/${id}/api-keys`;
    const made = async () =>
      parsed(await there.post(keys, { name: 'k' }, { caller: operator }), 201, merchants.createdApiKey);
    const [used, idle] = [await made(), await made()];
    const sinceMs = Date.now();
    for (let n = 0; n < 3; n++) {
      await grantOf(there, used.key);
    }
    // A stop writes what is only in memory.
    await app.stop();
    const { client: later } = await own.startCore();
    const { data } = parsed(await later.get(keys, { caller: operator }), 200, merchants.apiKeyPage);
    const lastUsed = (wanted: string) => data.find((key) => key.id === wanted)?.last_used_at ?? null;
    assert.equal(lastUsed(idle.id), null);
    const atMs = Date.parse(lastUsed(used.id) ?? '');
    assert.equal(atMs % 60_000, 0);
    assert.ok(atMs > sinceMs - 60_000 && atMs <= Date.now(), `${atMs}`);
    await own.stop();
  });
});

describe('when keys were used last', () => {
  const written: ReadonlyMap<string, number>[] = [];
  let nowMs = 90_000;
  let isAway = false;
  const lastUsed = new LastUsed({
    write: async (moments) => {
      if (isAway) throw new Error('away');
      written.push(moments);
    },
    nowMs: () => nowMs,
    writeAfterMs: 1_000_000,
    keysMax: 2,
    log: quiet,
  });

  it('is written once a minute for each key, of a bounded number at a time', async () => {
    for (const key of ['a', 'a', 'b', 'c']) lastUsed.note(key);
    await lastUsed.flush();
    await lastUsed.flush();
    assert.deepEqual(written.splice(0), [
      new Map([
        ['a', 60_000],
        ['b', 60_000],
      ]),
    ]);
    for (const key of ['a', 'c']) lastUsed.note(key);
    await lastUsed.flush();
    assert.deepEqual(written.splice(0), [new Map([['c', 60_000]])]);
    nowMs = 120_000;
    lastUsed.note('c');
    await lastUsed.flush();
    assert.deepEqual(written.splice(0), [new Map([['c', 120_000]])]);
  });

  it('is noted again when it could not be written', async () => {
    isAway = true;
    nowMs = 180_000;
    lastUsed.note('c');
    await lastUsed.flush();
    isAway = false;
    lastUsed.note('c');
    await lastUsed.flush();
    assert.deepEqual(written.splice(0), [new Map([['c', 180_000]])]);
  });
});
