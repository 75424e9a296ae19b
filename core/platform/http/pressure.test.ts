/** Whom the server asks whether a request had better stay away, when, and what the caller is told. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { RouteId } from '@local-plus/contracts';
import { limits } from '../../limits.ts';
import { startServer, type TestServer } from '../../test/http.ts';
import { assertProblem, merchantCaller, operator } from '../../test/stack.ts';
import type { Pressure } from './index.ts';

const walletId = '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b';
const merchantId = randomUUID();
const caller = merchantCaller(merchantId);
const earnTarget = `/v1/wallets/${walletId}/earn`;

describe('a server under pressure', () => {
  let core: TestServer;
  let handled = 0;
  let awayMs = 0;
  let asked: Parameters<Pressure['sendAway']>[] = [];

  before(async () => {
    const done = () => {
      handled++;
      return { status: 201, body: '{}' };
    };
    const pressure: Pressure = {
      routes: new Set<RouteId>(['wallets.earn']),
      sendAway: (...question) => {
        asked.push(question);
        return awayMs;
      },
    };
    core = await startServer({ 'wallets.earn': done, 'wallets.burn': done, 'wallets.balance': done }, { pressure });
  });
  after(() => core.server.stop());
  beforeEach(() => {
    handled = 0;
    awayMs = 0;
    asked = [];
  });

  it('sends away who had better come later, with the time, and hands nothing over', async () => {
    for (const [ms, seconds] of [
      [1, '1'],
      [1_001, '2'],
      [10_000, '10'],
    ] as const) {
      awayMs = ms;
      const answer = await core.client.post(earnTarget, { amount: 5 }, { caller });
      assertProblem(answer, 429, 'overloaded');
      assert.equal(answer.headers.get('retry-after'), seconds);
    }
    assert.equal(handled, 0);
    awayMs = 0;
    assert.equal((await core.client.post(earnTarget, { amount: 5 }, { caller })).status, 201);
  });

  it('asks with the tenant, the path, the deadline and the room that is left', async () => {
    const sentMs = performance.now();
    await core.client.post(earnTarget, { amount: 5 }, { caller: { ...caller, budgetMs: 5_000 } });
    const [question] = asked;
    assert.ok(question);
    const [routeId, tenant, params, deadlineMs, placesFree] = question;
    assert.deepEqual([routeId, tenant, params], ['wallets.earn', merchantId, [walletId]]);
    assert.ok(deadlineMs >= sentMs + 5_000 && deadlineMs <= performance.now() + 5_000);
    assert.equal(placesFree, limits.requestsInFlightMax - 1);
  });

  it('says nothing of it to who is not signed, or may not do it', async () => {
    awayMs = 1_000;
    const unsigned = await fetch(core.client.origin + earnTarget, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'key' },
      body: '{"amount":5}',
    });
    assert.equal(unsigned.status, 401);
    const reader = { ...caller, scopes: ['wallets:read'] as const };
    assertProblem(await core.client.post(earnTarget, { amount: 5 }, { caller: reader }), 403, 'forbidden');
    assert.equal(asked.length, 0);
  });

  it('looks at nothing else of who is sent away', async () => {
    awayMs = 1_000;
    assertProblem(await core.client.post(earnTarget, 'no JSON', { caller }), 429, 'overloaded');
    assertProblem(await core.client.send('POST', earnTarget, { caller, body: { amount: 5 } }), 429, 'overloaded');
  });

  it('does not ask for other routes, for reads, and for the operator', async () => {
    awayMs = 1_000;
    assert.equal((await core.client.post(`/v1/wallets/${walletId}/burn`, { amount: 5 }, { caller })).status, 201);
    assert.equal((await core.client.get(`/v1/wallets/${walletId}/balance`, { caller })).status, 201);
    const scopes = ['admin', 'transactions:write'] as const;
    const answer = await core.client.post(earnTarget, { amount: 5 }, { caller: { ...operator, scopes } });
    assert.equal(answer.status, 201);
    assert.equal(asked.length, 0);
  });
});
