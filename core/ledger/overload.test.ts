/** A store that does not keep up: who is refused, and with which words. On a real Postgres whose writer's row is locked. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type RouteId, routes } from '@local-plus/contracts';
import type postgres from 'postgres';
import { assertProblem, eventually, TestStack } from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';
import { ledgerPressure } from './pressure.ts';

describe('a ledger whose store does not keep up', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let sql: postgres.Sql;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    sql = stack.sql();
  });
  after(() => stack.stop());

  async function metric(line: string): Promise<number> {
    const { text } = await tenant.client.get('/metrics');
    const found = text.split('\n').find((each) => each.startsWith(`${line} `));
    return Number(found?.slice(line.length + 1) ?? Number.NaN);
  }

  it('refuses at once what cannot be done in time, says when to come again, and then does it', async () => {
    const walletId = await tenant.wallet(10);
    const earn = `/v1/wallets/${walletId}/earn`;
    const locked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const lock = sql.begin(async (transaction) => {
      await transaction`select 1 from writers for update`;
      locked.resolve();
      await gate.promise;
    });
    await locked.promise;
    const patient = tenant.post(earn, { amount: 1 });
    await eventually('the statement does not come back', async () => {
      return (await metric('ledger_expected_wait_seconds')) > 0.3;
    });
    const key = randomUUID();
    const hurried = { caller: { ...tenant.caller, budgetMs: 500 }, key };
    const refused = await tenant.client.post(earn, { amount: 2 }, hurried);
    assertProblem(refused, 429, 'overloaded');
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 10);
    assert.equal(await metric('ledger_turned_away_total{reason="queue_time"}'), 1);
    gate.resolve();
    await lock;
    assert.equal((await patient).status, 201);
    const again = await tenant.client.post(earn, { amount: 2 }, hurried);
    assert.equal(again.status, 201);
    assert.equal(again.headers.get('idempotent-replayed'), null, 'nothing had happened');
    assert.equal((await tenant.balance(walletId)).balance, 13);
  });
});

describe('what the ledger says of a movement before it is there', () => {
  const accountId = '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b';
  const asked: unknown[][] = [];
  const handler = () => ({ status: 200, body: '{}' });
  const served = ['wallets.earn', 'holds.capture', 'wallets.balance', 'transfers.create'] as const;
  const pressure = ledgerPressure(Object.fromEntries(served.map((id) => [id, handler])), {
    sendAway: (...question) => {
      asked.push(question);
      return 7;
    },
  });

  it('is asked for what moves points, and not for reads', () => {
    assert.deepEqual([...pressure.routes].sort(), ['holds.capture', 'transfers.create', 'wallets.earn']);
    const known = Object.keys(routes) as RouteId[];
    assert.ok([...pressure.routes].every((id) => known.includes(id)));
  });

  it('concerns the wallet where the path names it', () => {
    assert.equal(pressure.sendAway('wallets.earn', 'm', [accountId], 5, 6), 7);
    assert.equal(pressure.sendAway('holds.capture', 'm', [accountId], 5, 6), 7);
    assert.equal(pressure.sendAway('wallets.earn', 'm', ['no id'], 5, 6), 7);
    assert.deepEqual(asked, [
      ['m', accountId, 5, 6],
      ['m', null, 5, 6],
      ['m', null, 5, 6],
    ]);
  });
});
