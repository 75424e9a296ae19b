/** A thousand payments that draw on the same wallet and the same gift card at the same time: never overspent, never stuck. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { giftcards, payments as wire } from '@local-plus/contracts';
import { assertProblem, patiently, TestStack } from '../test/stack.ts';
import { allPages, inLanes, Tenant } from '../test/tenant.ts';
import { asked, card, pointsOf, setRate, wallet } from './test/merchant.ts';

const PAYMENTS = 1_000;
const AT_A_TIME = 250;
/** Enough for some of them. */
const [FIRST, SECOND] = [600 * 3, 400 * 2];

describe('payments at the same time', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    await setRate(tenant, 1, 1);
  });
  after(() => stack.stop());

  async function cardOf(amount: number): Promise<string> {
    const { programId: program_id } = await tenant.sibling({ unit: 'EUR' });
    return (await tenant.made('/v1/giftcards', { program_id, amount }, giftcards.issuedGiftcard)).id;
  }

  it('from the same wallet and card are captured or refused, and the sums agree', async () => {
    const [a, b] = [await tenant.wallet(FIRST), await cardOf(SECOND)];
    const ends = { captured: 0, refused: 0 };
    await inLanes(PAYMENTS, AT_A_TIME, async (index) => {
      const body = asked(5, [wallet(a, 3), card(b, 2)]);
      // Too busy, or its time was over: the same key goes on.
      const answer = await patiently(
        () => tenant.post('/v1/payments', body, `payment-${index}`),
        ({ status }) => status !== 429 && status !== 503,
      );
      if (answer.status === 201) {
        assert.equal(wire.payment.parse(answer.json).status, 'captured');
        ends.captured++;
      } else {
        assertProblem(answer, 409, 'insufficient_funds');
        ends.refused++;
      }
    });
    assert.equal(ends.captured + ends.refused, PAYMENTS);
    assert.ok(ends.captured > 0 && ends.captured <= 400, JSON.stringify(ends));
    assert.deepEqual(await pointsOf(tenant, a), [FIRST - 3 * ends.captured, 0]);
    const { balance, held } = await tenant.read(`/v1/giftcards/${b}`, giftcards.giftcard);
    assert.deepEqual([balance, held], [SECOND - 2 * ends.captured, 0]);
    // Whatever a refused one held for a moment is free again: the next one has it.
    const left = Math.floor((SECOND - 2 * ends.captured) / 2);
    if (left > 0) {
      const next = await tenant.post('/v1/payments', asked(5 * left, [wallet(a, 3 * left), card(b, 2 * left)]));
      assert.equal(next.status, 201, next.text);
    }
    const statuses = new Map<string, number>();
    const pages = await allPages((cursor) => tenant.read(`/v1/payments?limit=100${cursor}`, wire.paymentPage));
    for (const { status } of pages.flatMap(({ data }) => data)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    assert.deepEqual([...statuses.keys()].sort(), ['captured', 'failed']);
    assert.equal(statuses.get('failed'), ends.refused);
  });
});
