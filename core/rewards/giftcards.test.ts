/** A gift card as a reward, on a real Postgres: points become a card with money on it, whose code is shown once. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { giftcards, rewards as wire } from '@local-plus/contracts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';

const keys = { GIFTCARD_CODE_KEYS: `g1:${randomBytes(32).toString('base64url')}` };

describe('a gift card as a reward', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve(keys)).client);
  });
  after(() => stack.stop());

  async function newReward(gives: object = {}): Promise<string> {
    const cards = await tenant.sibling({ unit: 'EUR', scale: 2 });
    const card = { type: 'gift_card', program_id: cards.programId, amount: 2_500, ...gives };
    const body = { name: 'A card', gives: card, points: 100, stock: 5 };
    const { id } = await tenant.made(`/v1/programs/${tenant.programId}/rewards`, body, wire.reward);
    parsed(await tenant.post(`/v1/rewards/${id}/publish`, {}), 200, wire.changedStatus);
    return id;
  }
  const redeem = (reward: string, wallet_id: string, key = randomUUID()) =>
    tenant.post(`/v1/rewards/${reward}/redeem`, { wallet_id }, key);

  it('is issued, active, with its amount; its code is shown once', async () => {
    const reward = await newReward();
    const wallet = await tenant.wallet(150);
    const key = randomUUID();
    const redeemed = parsed(await redeem(reward, wallet, key), 201, wire.redemption);
    assert.equal(redeemed.code, null);
    const card = await tenant.read(`/v1/giftcards/${redeemed.giftcard_id}`, giftcards.giftcard);
    assert.deepEqual([card.state, card.balance, card.unit, card.batch_id], ['active', 2_500, 'EUR', null]);
    const code = redeemed.giftcard_code ?? '';
    const found = await tenant.post('/v1/giftcards/lookup', { code });
    assert.equal(found.status, 200, found.text);
    assert.equal((found.json as { giftcard_id?: string }).giftcard_id, redeemed.giftcard_id);
    const again = parsed(await redeem(reward, wallet, key), 201, wire.redemption);
    assert.deepEqual(again, { ...redeemed, giftcard_code: null });
    assert.equal((await tenant.balance(wallet)).balance, 50);
    assertProblem(await tenant.post(`/v1/redemptions/${redeemed.id}/cancel`, {}), 409, 'redemption_status');
  });

  it('gives the points back where no card can be issued', async () => {
    const reward = await newReward({ catalog_item_id: randomUUID() });
    const wallet = await tenant.wallet(100);
    const key = randomUUID();
    const answer = await redeem(reward, wallet, key);
    assert.ok(answer.status === 404 || answer.status === 409, answer.text);
    assert.equal((await redeem(reward, wallet, key)).text, answer.text);
    assert.equal((await tenant.balance(wallet)).balance, 100);
    assert.equal((await tenant.read(`/v1/rewards/${reward}`, wire.reward)).stock_left, 5);
    assert.deepEqual(
      (await tenant.history(wallet)).map(({ kind }) => kind),
      ['earn', 'burn', 'reverse'],
    );
  });

  it('is refused where core has no key for codes', async () => {
    const reward = await newReward();
    const wallet = await tenant.wallet(100);
    const { client } = await stack.startCore({ WRITER_ID: '2', GIFTCARD_CODE_KEYS: '' });
    const answer = await client.post(`/v1/rewards/${reward}/redeem`, { wallet_id: wallet }, { caller: tenant.caller });
    assertProblem(answer, 501, 'giftcard_codes_not_configured');
    assert.equal((await tenant.balance(wallet)).balance, 100);
  });
});
