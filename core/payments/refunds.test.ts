/** Refunds of payments: split in the stated order, exact however they are cut, never more than was paid. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { payments as wire } from '@local-plus/contracts';
import fc from 'fast-check';
import { assertProblem, patiently, TestStack } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';
import { amountFor, countedIn, pointsFor, refundParts, type Source, usualRefundOrder } from './domain.ts';
import { pay, paymentOf, pointsOf, refund, setRate, wallet } from './test/merchant.ts';

const rates = fc.record({ points: fc.integer({ min: 1, max: 1_000 }), amount: fc.integer({ min: 1, max: 1_000 }) });
const amounts = fc.integer({ min: 1, max: 1_000_000 });

describe('what an amount takes, and what goes back', () => {
  it('is never less than the rate says, and less than a point more', () => {
    fc.assert(
      fc.property(amounts, rates, (amount, rate) => {
        const points = pointsFor(amount, rate) as number;
        assert.ok(points * rate.amount >= amount * rate.points);
        assert.ok((points - 1) * rate.amount < amount * rate.points);
      }),
    );
  });

  it('is the greatest amount for so many points', () => {
    fc.assert(
      fc.property(amounts, rates, (points, rate) => {
        const amount = amountFor(points, rate);
        assert.ok(amount === 0 || (pointsFor(amount, rate) as number) <= points);
        assert.ok((pointsFor(amount + 1, rate) as number) > points);
      }),
    );
  });

  it('adds up to what was taken, however it is cut, also when parts fail in between', () => {
    const source = fc.record({ amount: amounts, points: amounts });
    const cuts = fc.array(fc.record({ share: fc.integer({ min: 1, max: 100 }), fails: fc.boolean() }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.array(source, { minLength: 1, maxLength: 5 }), cuts, (taken, all) => {
        let sources: readonly Source[] = taken.map(taking);
        const order = usualRefundOrder(sources.length);
        const back = sources.map(() => ({ amount: 0, points: 0 }));
        const left = () => sources.reduce((sum, each) => sum + each.amount - each.refundedAmount, 0);
        const give = (amount: number, fails: boolean) => {
          const parts = refundParts(sources, order, amount);
          assert.equal(
            parts.reduce((sum, part) => sum + part.amount, 0),
            amount,
          );
          sources = countedIn(sources, parts, 1);
          if (fails) sources = countedIn(sources, parts, -1);
          for (const part of fails ? [] : parts) {
            const total = back[part.source] as { amount: number; points: number };
            total.amount += part.amount;
            total.points += part.points;
            assert.ok(total.points <= (sources[part.source]?.points ?? 0));
          }
        };
        for (const { share, fails } of all) {
          const amount = Math.floor((left() * share) / 100);
          if (amount > 0) give(amount, fails);
        }
        if (left() > 0) give(left(), false);
        assert.deepEqual(
          back,
          taken.map(({ amount, points }) => ({ amount, points })),
        );
      }),
    );
  });
});

describe('refunds over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  /** In points of ten cents. */
  let gold: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    gold = await tenant.sibling();
    await setRate(tenant, 3, 2);
    await setRate(gold, 1, 10);
  });
  after(() => stack.stop());

  it('give back to the last source first, and to the order that was asked for', async () => {
    const [points, golden] = [await tenant.wallet(1_000), await gold.wallet(100)];
    const first = await pay(tenant, 300, [wallet(points, 200), wallet(golden)]);
    const partial = await refund(tenant, first.id, { amount: 150, reason: 'came late' });
    assert.deepEqual([partial.status, partial.reason], ['succeeded', 'came late']);
    assert.deepEqual(
      partial.parts.map(({ source, amount, points: back }) => [source, amount, back]),
      [
        [1, 100, 10],
        [0, 50, 75],
      ],
    );
    assert.deepEqual(
      [await pointsOf(tenant, points), await pointsOf(gold, golden)],
      [
        [775, 0],
        [100, 0],
      ],
    );
    const [, , , reversal] = await tenant.history(points);
    assert.deepEqual(
      [reversal?.kind, reversal?.amount, reversal?.id],
      ['reverse', 75, partial.parts[1]?.transaction_id],
    );

    const second = await pay(tenant, 300, [wallet(points, 200), wallet(golden)], { refund_order: [0, 1] });
    const forward = await refund(tenant, second.id, { amount: 250 });
    assert.deepEqual(
      forward.parts.map(({ source, amount }) => [source, amount]),
      [
        [0, 200],
        [1, 50],
      ],
    );
  });

  it('go up to the payment and no further, the rest by default', async () => {
    const points = await tenant.wallet(1_000);
    const paid = await pay(tenant, 100, [wallet(points)]);
    const over = await tenant.post(`/v1/payments/${paid.id}/refund`, { amount: 101 });
    assertProblem(over, 409, 'refund_exceeds_payment');
    await refund(tenant, paid.id, { amount: 33 });
    const rest = await refund(tenant, paid.id);
    assert.equal(rest.amount, 67);
    assertProblem(await tenant.post(`/v1/payments/${paid.id}/refund`, {}), 409, 'refund_exceeds_payment');
    assert.deepEqual(await pointsOf(tenant, points), [1_000, 0]);
    const payment = await paymentOf(tenant, paid.id);
    const [source] = payment.sources;
    assert.deepEqual([payment.refunded_amount, payment.status], [100, 'captured']);
    assert.deepEqual(source?.type === 'wallet' && [source.refunded_amount, source.refunded_points], [100, 150]);
    const listed = await tenant.read(`/v1/payments/${paid.id}/refunds?limit=1`, wire.refundPage);
    assert.deepEqual(listed.data, [rest]);
    const next = await tenant.read(`/v1/payments/${paid.id}/refunds?cursor=${listed.next_cursor}`, wire.refundPage);
    assert.deepEqual(
      next.data.map(({ amount }) => amount),
      [33],
    );
    assertProblem(await tenant.get(`/v1/payments/${paid.id}/refunds?cursor=x`), 400, 'invalid_cursor');
  });

  it('move nothing for less than a point, and lose nothing by it', async () => {
    const golden = await gold.wallet(10);
    const paid = await pay(gold, 20, [wallet(golden)]);
    const cent = await refund(gold, paid.id, { amount: 1 });
    assert.deepEqual(cent.parts, [{ source: 0, amount: 1, points: 0, transaction_id: null, refusal: null }]);
    assert.deepEqual(await pointsOf(gold, golden), [8, 0]);
    await refund(gold, paid.id, { amount: 9 });
    assert.deepEqual(await pointsOf(gold, golden), [9, 0]);
    await refund(gold, paid.id);
    assert.deepEqual(await pointsOf(gold, golden), [10, 0]);
  });

  it('are replayed, and their key belongs to them', async () => {
    const points = await tenant.wallet(1_000);
    const [paid, other] = [await pay(tenant, 100, [wallet(points)]), await pay(tenant, 100, [wallet(points)])];
    const key = randomUUID();
    const first = await tenant.post(`/v1/payments/${paid.id}/refund`, {}, key);
    const again = await tenant.post(`/v1/payments/${paid.id}/refund`, {}, key);
    assert.deepEqual([again.status, again.text, again.headers.get('idempotent-replayed')], [201, first.text, 'true']);
    for (const [id, body] of [
      [paid.id, { amount: 100 }],
      [other.id, {}],
    ] as const) {
      const reused = await tenant.post(`/v1/payments/${id}/refund`, body, key);
      assertProblem(reused, 422, 'idempotency_key_reused');
    }
    assert.deepEqual(await pointsOf(tenant, points), [850, 0]);
  });

  it('of one payment at the same time give back no more than was paid', async () => {
    const points = await tenant.wallet(1_000);
    const paid = await pay(tenant, 100, [wallet(points)]);
    let done = 0;
    await inLanes(40, 10, async () => {
      const key = randomUUID();
      // Others were faster too often: the same key goes on.
      const answer = await patiently(() => tenant.post(`/v1/payments/${paid.id}/refund`, { amount: 7 }, key));
      if (answer.status === 409) return void assertProblem(answer, 409, 'refund_exceeds_payment');
      assert.equal(parsed(answer, 201, wire.refund).status, 'succeeded');
      done++;
    });
    assert.equal(done, 14);
    assert.equal((await paymentOf(tenant, paid.id)).refunded_amount, 98);
    assert.deepEqual(await pointsOf(tenant, points), [850 + (98 * 3) / 2, 0]);
  });
});

function taking({ amount, points }: { readonly amount: number; readonly points: number }): Source {
  const nothingYet = { hold: null, captureId: null, refundedAmount: 0, refundedPoints: 0, undoTries: 0 };
  return { type: 'wallet', id: '', unit: 'PTS', amount, points, rate: null, ...nothingYet };
}
