/** A thousand at once on one card, through core on a real Postgres: never overspent, never stuck, and blocked means blocked. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { giftcards, problemSchema } from '@local-plus/contracts';
import { type Answer, eventually, patiently, TestStack } from '../../test/stack.ts';
import { inLanes, parsed } from '../../test/tenant.ts';
import { Shop, type Sql } from './test/shop.ts';

const REDEEMS = 1_000;

describe('a thousand concurrent redemptions of one card', () => {
  const stack = new TestStack();
  let sql: Sql;
  let shop: Shop;

  before(async () => {
    const { client } = await stack.serve();
    sql = stack.sql(2);
    shop = await Shop.open(client, sql);
  });
  after(() => stack.stop());

  /** Until it has an outcome: too much may be waiting. */
  async function surely(cardId: string, route: string, body: object): Promise<Answer> {
    const key = crypto.randomUUID();
    return patiently(
      () => shop.ask(cardId, route, body, key),
      ({ status }) => status !== 429 && status !== 503,
    );
  }

  const redeem = (cardId: string, amount?: number) => surely(cardId, 'redeem', { amount });

  it('take what is there, to the last, and no more', async () => {
    const cardId = await shop.card(1_000);
    const codes: string[] = [];
    await inLanes(REDEEMS, REDEEMS, async () => {
      const answer = await redeem(cardId, 3);
      codes.push(answer.status === 201 ? 'redeemed' : problemSchema.parse(answer.json).code);
    });
    const count = (code: string) => codes.filter((each) => each === code).length;
    assert.deepEqual([count('redeemed'), count('insufficient_funds')], [333, REDEEMS - 333]);
    const card = await shop.read(cardId);
    assert.deepEqual([card.balance, card.held, card.version, card.state], [1, 0, 334, 'active']);
    const redeemed = (await shop.activities(cardId)).filter(({ activity }) => activity === 'redeem');
    assert.equal(redeemed.length, 333);
    assert.deepEqual(
      redeemed.map(({ balance_after }) => balance_after).reverse(),
      Array.from({ length: 333 }, (_, index) => 1_000 - 3 * (index + 1)),
    );
  });

  it('stop when it is blocked: of those that were redeemed none comes after the block', async () => {
    const cardId = await shop.card(1_000_000);
    const redeemed: string[] = [];
    const refused: string[] = [];
    let isBlocked = false;
    // Each again and again, until it is refused.
    const redeeming = inLanes(REDEEMS, REDEEMS, async () => {
      for (;;) {
        const wasBlocked = isBlocked;
        const answer = await redeem(cardId, 1);
        if (answer.status !== 201) {
          refused.push(problemSchema.parse(answer.json).code);
          return;
        }
        assert.ok(!wasBlocked, 'asked after the block was answered, and redeemed');
        redeemed.push(giftcards.activity.parse(answer.json).id);
      }
    });
    await eventually('some are redeemed', () => redeemed.length > REDEEMS, 120_000);
    const block = parsed(await surely(cardId, 'block', { reason: 'stolen' }), 201, giftcards.activity);
    isBlocked = true;
    await redeeming;
    assert.deepEqual([refused.length, new Set(refused)], [REDEEMS, new Set(['account_frozen'])]);
    const [newest, ...before] = await shop.activities(cardId);
    assert.equal(newest?.id, block.id);
    const told = before.filter(({ activity }) => activity === 'redeem').map(({ id }) => id);
    assert.deepEqual(told.sort(), redeemed.sort());
    const card = await shop.read(cardId);
    assert.deepEqual([card.balance, card.state], [1_000_000 - redeemed.length, 'blocked']);
    assert.equal(block.balance_after, card.balance);
  });

  it('of it whole: one gets all, and the others nothing', async () => {
    const cardId = await shop.card(777);
    const statuses: number[] = [];
    await inLanes(100, 100, async () => {
      statuses.push((await redeem(cardId)).status);
    });
    assert.deepEqual(
      [statuses.filter((status) => status === 201).length, statuses.filter((status) => status === 409).length],
      [1, 99],
    );
    assert.equal(await shop.state(cardId), 'exhausted');
  });
});
