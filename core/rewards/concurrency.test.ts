/** The last ones of a reward, wanted by many at once, while Postgres dies in between: never more than there are, never stuck. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { rewards as wire } from '@local-plus/contracts';
import type postgres from 'postgres';
import { type Answer, eventually, patiently, TestStack } from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';

const COST = 7;
const STOCK = 10;
const WALLETS = 20;

describe('a reward that many want at once', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let sql: postgres.Sql;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    sql = stack.sql();
  });
  after(() => stack.stop());

  async function newReward(stock: number, limits: readonly object[] = []): Promise<string> {
    const body = { name: 'R', gives: { type: 'product', sku: 's' }, points: COST, stock, limits };
    const { id } = await tenant.made(`/v1/programs/${tenant.programId}/rewards`, body, wire.reward);
    await tenant.post(`/v1/rewards/${id}/publish`, {});
    return id;
  }

  /** As a client does: again with the same key, until it is told. */
  async function redeemed(reward: string, wallet_id: string): Promise<Answer> {
    const key = randomUUID();
    return patiently(
      async () => {
        const answer = await tenant.post(`/v1/rewards/${reward}/redeem`, { wallet_id }, key);
        assert.notEqual(answer.status, 500, answer.text);
        return answer;
      },
      ({ status }) => status !== 429 && status < 500,
      120_000,
    );
  }

  async function sums(reward: string, wallets: readonly string[]) {
    const [counts] = await sql<{ completed: number; open: number; left: number; burned: number }[]>`
      select (select count(*)::int from reward_redemptions where reward_id = ${reward} and status = 'completed') as completed,
        (select count(*)::int from reward_redemptions where reward_id = ${reward} and open_since is not null) as open,
        (select stock_left::int from rewards where id = ${reward}) as left,
        (select coalesce(-sum(balance_delta), 0)::int from transactions
          where account_id = any(${wallets as string[]}) and kind <> 'earn') as burned`;
    assert.ok(counts);
    return counts;
  }

  it('is redeemed by the last ten of a thousand, and by nobody else', async () => {
    const reward = await newReward(STOCK);
    const wallets = await Promise.all(Array.from({ length: WALLETS }, () => tenant.wallet(1_000)));
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, place) => redeemed(reward, wallets[place % WALLETS] as string)),
    );
    const byCode = Map.groupBy(answers, ({ status, json }) => `${status} ${(json as { code?: string }).code}`);
    const completed = answers.filter(({ status }) => status === 201);
    assert.equal(completed.length, STOCK);
    assert.equal(byCode.get('409 out_of_stock')?.length, 1_000 - STOCK);
    assert.equal(new Set(completed.map(({ json }) => wire.redemption.parse(json).code)).size, STOCK);
    assert.deepEqual(await sums(reward, wallets), { completed: STOCK, open: 0, left: 0, burned: STOCK * COST });
  });

  it('is redeemed by one wallet as often as its limit says', async () => {
    const reward = await newReward(100, [{ per: 'ever', count: 3 }]);
    const wallet = await tenant.wallet(1_000);
    const answers = await Promise.all(Array.from({ length: 100 }, () => redeemed(reward, wallet)));
    assert.equal(answers.filter(({ status }) => status === 201).length, 3);
    assert.deepEqual(await sums(reward, [wallet]), { completed: 3, open: 0, left: 97, burned: 3 * COST });
  });

  it('is neither lost nor given twice when Postgres dies in between', async () => {
    const stock = 60;
    const reward = await newReward(stock);
    // Some can pay, some cannot.
    const wallets = await Promise.all(Array.from({ length: WALLETS }, (_, place) => tenant.wallet(1 + place * 3)));
    const all = Promise.all(
      Array.from({ length: 200 }, async (_, place) => {
        await pause(place * 10);
        return redeemed(reward, wallets[place % WALLETS] as string);
      }),
    );
    await pause(600);
    await stack.postgres.stopImmediately();
    await pause(300);
    await stack.postgres.start();
    const answers = await all;
    const completed = answers.filter(({ status }) => status === 201).length;
    assert.ok(completed > 0);
    await eventually('nothing is open', async () => (await sums(reward, wallets)).open === 0, 60_000);
    const expected = { completed, open: 0, left: stock - completed, burned: completed * COST };
    assert.deepEqual(await sums(reward, wallets), expected);
  });
});
