/** Points and gift cards in one payment: mixed tender, on a real Postgres. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { giftcards, payments as wire } from '@local-plus/contracts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { asked, card, decided, pay, pointsOf, refund, setRate, wallet } from './test/merchant.ts';

describe('payments with gift cards', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let cards: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    cards = await tenant.sibling({ unit: 'EUR' });
    await setRate(tenant, 1, 1);
  });
  after(() => stack.stop());

  async function issue(amount: number, more: object = {}): Promise<string> {
    const body = { program_id: cards.programId, amount, ...more };
    return (await cards.made('/v1/giftcards', body, giftcards.issuedGiftcard)).id;
  }
  const read = (id: string) => cards.read(`/v1/giftcards/${id}`, giftcards.giftcard);

  it('take what each gives, one for one from a card, and give it back in the stated order', async () => {
    const [points, first, second] = [await tenant.wallet(500), await issue(1_000), await issue(2_000)];
    const paid = await pay(tenant, 3_300, [wallet(points, 300), card(first, 1_000), card(second)]);
    const shown = paid.sources.map((source) => [source.type, source.amount]);
    assert.deepEqual(shown, [
      ['wallet', 300],
      ['giftcard', 1_000],
      ['giftcard', 2_000],
    ]);
    assert.deepEqual(await pointsOf(tenant, points), [200, 0]);
    assert.deepEqual([(await read(first)).available, (await read(second)).state], [0, 'exhausted']);
    const back = await refund(tenant, paid.id, { amount: 2_500 });
    assert.deepEqual(
      back.parts.map(({ source, amount }) => [source, amount]),
      [
        [2, 2_000],
        [1, 500],
      ],
    );
    const [a, b] = [await read(first), await read(second)];
    assert.deepEqual([a.available, a.state, b.available, b.state], [500, 'active', 2_000, 'active']);
  });

  it('quote what is left of a card', async () => {
    const id = await issue(700);
    const quoted = parsed(await tenant.post('/v1/payments/quote', asked(900, [card(id)])), 200, wire.quotedPayment);
    assert.deepEqual(quoted.sources, [
      { type: 'giftcard', giftcard_id: id, amount: 900, available: 700, amount_max: 700 },
    ]);
  });

  it('refuse a card that may not pay, and remember that, whatever the card is later', async () => {
    const points = await tenant.wallet(500);
    const pending = await issue(1_000, { activate: false });
    const key = randomUUID();
    const body = asked(200, [wallet(points, 100), card(pending)]);
    const refused = await tenant.post('/v1/payments', body, key);
    const problem = assertProblem(refused, 409, 'giftcard_pending');
    assert.equal(problem.errors?.[0]?.pointer, '/sources/1');
    assert.deepEqual(await pointsOf(tenant, points), [500, 0]);
    await cards.post(`/v1/giftcards/${pending}/activate`, {});
    assert.equal((await tenant.post('/v1/payments', body, key)).text, refused.text);
    const paid = await pay(tenant, 200, [wallet(points, 100), card(pending)]);
    assert.equal(paid.status, 'captured');
    const usd = { ...asked(10, [card(pending)]), currency: 'USD' };
    assertProblem(await tenant.post('/v1/payments', usd), 409, 'currency_mismatch');
    // A card is no wallet, and a wallet no card.
    assertProblem(await tenant.post('/v1/payments', asked(10, [wallet(pending)])), 404, 'not_found');
    assertProblem(await tenant.post('/v1/payments', asked(10, [card(points)])), 404, 'not_found');
  });

  it('capture what a card has promised, also when it is blocked since; and pay nothing new', async () => {
    const id = await issue(1_000);
    const held = await pay(tenant, 400, [card(id)], { capture: false });
    assert.equal((await read(id)).available, 600);
    await cards.post(`/v1/giftcards/${id}/block`, { reason: 'reported stolen' });
    const paid = await decided(tenant, held.id, 'capture');
    assert.equal(paid.status, 'captured');
    assert.equal((await read(id)).balance, 600);
    assertProblem(await tenant.post('/v1/payments', asked(1, [card(id)])), 409, 'account_frozen');
  });
});
