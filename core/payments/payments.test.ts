/** Payments over HTTP on a real Postgres: paid from several sources, held, captured, voided, refused, refunded. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { announcedEvents, limits, wallets, payments as wire } from '@local-plus/contracts';
import type postgres from 'postgres';
import { assertProblem, operator, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { anotherMillisecond } from '../test/time.ts';
import { asked, decide, decided, pay, paymentOf, pointsOf, refund, setRate, wallet } from './test/merchant.ts';

describe('payments over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  /** Of the same merchant, in points that are worth ten times as much. */
  let gold: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    gold = await tenant.sibling();
    await setRate(tenant, 3, 2);
    await setRate(gold, 1, 10);
  });
  after(() => stack.stop());

  it('take from each source what its rate says, rounded up, and are captured at once', async () => {
    const [points, golden] = [await tenant.wallet(1_000), await gold.wallet(100)];
    const paid = await pay(tenant, 1_001, [wallet(points, 501), wallet(golden)], { reference: 'order-1' });
    assert.deepEqual([paid.status, paid.amount, paid.reference, paid.failure], ['captured', 1_001, 'order-1', null]);
    const [first, second] = paid.sources;
    assert.ok(first?.type === 'wallet' && second?.type === 'wallet');
    // 501 × 3 ÷ 2 = 751.5; the rest, 500, × 1 ÷ 10 = 50.
    assert.deepEqual([first.amount, first.points, first.rate], [501, 752, { version: 1, points: 3, amount: 2 }]);
    assert.deepEqual([second.amount, second.points], [500, 50]);
    assert.deepEqual(await pointsOf(tenant, points), [248, 0]);
    assert.deepEqual(await pointsOf(gold, golden), [50, 0]);
    assert.deepEqual(await paymentOf(tenant, paid.id), paid);
    const [, hold, capture] = await tenant.history(points);
    assert.deepEqual([hold?.id, capture?.id], [first.hold_id, first.capture_id]);
    assert.deepEqual([capture?.kind, capture?.reference], ['capture', 'order-1']);
    assert.deepEqual(capture?.metadata, { payment_id: paid.id });
  });

  it('quote what they would take, and what a wallet could pay at most', async () => {
    const [points, golden] = [await tenant.wallet(100), await gold.wallet(7)];
    const sources = [wallet(points, 11), wallet(golden)];
    const answer = await tenant.post('/v1/payments/quote', asked(50, sources));
    const quoted = parsed(answer, 200, wire.quotedPayment);
    const [first, second] = quoted.sources;
    assert.ok(first?.type === 'wallet' && second?.type === 'wallet');
    assert.deepEqual([first.points, first.available, first.amount_max], [17, 100, 66]);
    assert.deepEqual([second.amount, second.points, second.amount_max], [39, 4, 70]);
    assert.deepEqual(await pointsOf(tenant, points), [100, 0]);
    // What it says can be held against the payment.
    await pay(tenant, 11, [{ ...wallet(points), points: 17 }]);
    const wrong = await tenant.post('/v1/payments', asked(11, [{ ...wallet(points), points: 16 }]));
    const problem = assertProblem(wrong, 409, 'payment_quote_changed');
    assert.deepEqual(problem.errors?.[0]?.pointer, '/sources/0');
  });

  it('give back the first source when the second refuses, point at it, and remember that', async () => {
    const [points, golden] = [await tenant.wallet(1_000), await gold.wallet(10)];
    const key = randomUUID();
    const body = asked(301, [wallet(points, 200), wallet(golden, 101)]);
    const refused = await tenant.post('/v1/payments', body, key);
    const problem = assertProblem(refused, 409, 'insufficient_funds');
    assert.deepEqual(
      problem.errors?.map(({ pointer, code }) => [pointer, code]),
      [['/sources/1', 'insufficient_funds']],
    );
    assert.deepEqual(await pointsOf(tenant, points), [1_000, 0]);
    assert.deepEqual(await pointsOf(gold, golden), [10, 0]);
    await gold.made(`/v1/wallets/${golden}/earn`, { amount: 100 }, wallets.transaction);
    const again = await tenant.post('/v1/payments', body, key);
    assert.deepEqual([again.status, again.text], [refused.status, refused.text]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    const { data } = await tenant.read('/v1/payments?limit=1', wire.paymentPage);
    assert.deepEqual([data[0]?.status, data[0]?.failure], ['failed', { code: 'insufficient_funds', source: 1 }]);
  });

  it('refuse what one account cannot give in all, though it could give each part', async () => {
    const points = await tenant.wallet(150);
    const twice = (amount: number) => asked(2 * amount, [wallet(points, amount), wallet(points, amount)]);
    assertProblem(await tenant.post('/v1/payments', twice(60)), 409, 'insufficient_funds');
    assert.deepEqual(await pointsOf(tenant, points), [150, 0]);
    const paid = parsed(await tenant.post('/v1/payments', twice(50)), 201, wire.payment);
    assert.equal(paid.status, 'captured');
    assert.deepEqual(await pointsOf(tenant, points), [0, 0]);
  });

  it('are held, then captured by one request, whatever came over the account meanwhile', async () => {
    const points = await tenant.wallet(300);
    const held = await pay(tenant, 200, [wallet(points)], { capture: false, expires_in_s: 3_600 });
    assert.deepEqual([held.status, held.sources[0]?.capture_id], ['held', null]);
    const seconds = (Date.parse(held.expires_at ?? '') - Date.parse(held.created_at)) / 1_000;
    assert.equal(Math.round(seconds), 3_600);
    assert.deepEqual(await pointsOf(tenant, points), [300, 300]);
    await tenant.made(`/v1/wallets/${points}/freeze`, { reason: 'lost phone' }, wallets.transaction);
    const key = randomUUID();
    const paid = await decided(tenant, held.id, 'capture', key);
    assert.equal(paid.status, 'captured');
    assert.deepEqual(await pointsOf(tenant, points), [0, 0]);
    const again = await decide(tenant, held.id, 'capture', key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [JSON.stringify(paid), 'true']);
    assertProblem(await decide(tenant, held.id, 'capture'), 409, 'payment_not_held');
    assertProblem(await decide(tenant, held.id, 'void'), 409, 'payment_not_held');
    // A frozen account makes no new promises.
    assertProblem(await tenant.post('/v1/payments', asked(1, [wallet(points)])), 409, 'account_frozen');
  });

  it('are voided, and what was held is free again', async () => {
    const points = await tenant.wallet(300);
    const held = await pay(tenant, 100, [wallet(points)], { capture: false });
    const key = randomUUID();
    const done = await decided(tenant, held.id, 'void', key);
    assert.deepEqual([done.status, done.failure], ['voided', null]);
    assert.deepEqual(await pointsOf(tenant, points), [300, 0]);
    assert.equal((await decide(tenant, held.id, 'void', key)).text, JSON.stringify(done));
    assertProblem(await decide(tenant, held.id, 'capture'), 409, 'payment_not_held');
    assertProblem(await tenant.post(`/v1/payments/${held.id}/refund`, {}), 409, 'payment_not_captured');
  });

  it('are replayed as they were first answered, whatever became of them and of the rate', async () => {
    const points = await gold.wallet(1_000);
    const key = randomUUID();
    const body = asked(100, [wallet(points)], { capture: false });
    const first = await gold.post('/v1/payments', body, key);
    const held = parsed(first, 201, wire.payment);
    await decided(gold, held.id, 'capture');
    await refund(gold, held.id, { amount: 30 });
    await setRate(gold, 2, 10);
    const again = await gold.post('/v1/payments', body, key);
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assertProblem(await gold.post('/v1/payments', { ...body, reference: 'x' }, key), 422, 'idempotency_key_reused');
    assert.deepEqual(await pointsOf(gold, points), [993, 0]);
    const next = await pay(gold, 100, [wallet(points)]);
    assert.deepEqual(
      next.sources[0]?.type === 'wallet' && [next.sources[0].points, next.sources[0].rate.version],
      [20, 2],
    );
    await setRate(gold, 1, 10);
  });

  it('do not ask for what does not add up', async () => {
    const points = await tenant.wallet(100);
    for (const [amount, sources] of [
      [10, [wallet(points, 9)]],
      [10, [wallet(points, 5), wallet(points, 6)]],
      [10, [wallet(points), wallet(points)]],
      [10, [wallet(points, 10), wallet(points)]],
    ] as const) {
      const problem = assertProblem(await tenant.post('/v1/payments', asked(amount, sources)), 400, 'invalid_request');
      assert.equal(problem.errors?.[0]?.pointer, '/sources');
    }
    const orders = [[0], [0, 0], [1, 2], [0, 1, 2]];
    for (const refund_order of orders) {
      const body = asked(10, [wallet(points, 5), wallet(points)], { refund_order });
      const problem = assertProblem(await tenant.post('/v1/payments', body), 400, 'invalid_request');
      assert.equal(problem.errors?.[0]?.pointer, '/refund_order');
    }
    const much = await tenant.sibling();
    await setRate(much, limits.ratePartMax, 1);
    const huge = asked(1_000_000, [wallet(await much.wallet(1))]);
    const problem = assertProblem(await tenant.post('/v1/payments', huge), 400, 'invalid_request');
    assert.equal(problem.errors?.[0]?.pointer, '/sources/0');
  });

  it('need a rate, which the merchant sets and takes away again', async () => {
    const program = await tenant.sibling();
    const points = await program.wallet(100);
    const body = asked(10, [wallet(points)]);
    assertProblem(await program.post('/v1/payments', body), 409, 'payment_rate_missing');
    await setRate(program, 1, 1);
    await pay(program, 10, [wallet(points)]);
    assertProblem(await program.post('/v1/payments', { ...body, currency: 'USD' }), 409, 'payment_rate_missing');
    const path = `/v1/programs/${program.programId}/payment-rates`;
    const key = randomUUID();
    const off = await program.post(path, { currency: 'EUR', rate: null }, key);
    assert.equal(parsed(off, 201, wire.paymentRate).version, 2);
    assertProblem(await program.post('/v1/payments', body), 409, 'payment_rate_missing');
    assert.equal((await program.post(path, { currency: 'EUR', rate: null }, key)).text, off.text);
    assertProblem(await program.post(path, { currency: 'USD', rate: null }, key), 422, 'idempotency_key_reused');
    await program.made(path, { currency: 'USD', rate: { points: 5, amount: 4 } }, wire.paymentRate);
    const page = await program.read(`${path}?limit=2`, wire.paymentRatePage);
    assert.deepEqual(
      page.data.map(({ version, currency, rate }) => [version, currency, rate?.points ?? null]),
      [
        [3, 'USD', 5],
        [2, 'EUR', null],
      ],
    );
    const rest = await program.read(`${path}?cursor=${page.next_cursor}`, wire.paymentRatePage);
    assert.deepEqual([rest.data.length, rest.data[0]?.version, rest.next_cursor], [1, 1, null]);
    assertProblem(await program.get(`${path}?cursor=x`), 400, 'invalid_cursor');
    const changes = await audited(stack.sql(), program.programId);
    assert.deepEqual(changes, [
      [null, { currency: 'EUR', rate: { points: 1, amount: 1 } }],
      [
        { currency: 'EUR', rate: { points: 1, amount: 1 } },
        { currency: 'EUR', rate: null },
      ],
      [null, { currency: 'USD', rate: { points: 5, amount: 4 } }],
    ]);
  });

  it('are listed newest first, each once, and only their merchant sees them', async () => {
    const own = await Tenant.open(tenant.client);
    await setRate(own, 1, 1);
    const points = await own.wallet(100);
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      ids.unshift((await pay(own, 1, [wallet(points)])).id);
      await anotherMillisecond();
    }
    const first = await own.read('/v1/payments?limit=3', wire.paymentPage);
    const second = await own.read(`/v1/payments?limit=3&cursor=${first.next_cursor}`, wire.paymentPage);
    assert.deepEqual(
      [...first.data, ...second.data].map(({ id }) => id),
      ids,
    );
    assert.equal(second.next_cursor, null);
    assertProblem(await own.get('/v1/payments?cursor=abc'), 400, 'invalid_cursor');
    const [id = ''] = ids;
    for (const path of [`/v1/payments/${id}`, `/v1/payments/${id}/refunds`]) {
      assertProblem(await tenant.get(path), 404, 'not_found');
    }
    for (const what of ['capture', 'void'] as const) assertProblem(await decide(tenant, id, what), 404, 'not_found');
    assertProblem(await tenant.post(`/v1/payments/${id}/refund`, {}), 404, 'not_found');
    const rates = `/v1/programs/${own.programId}/payment-rates`;
    assertProblem(await tenant.get(rates), 404, 'not_found');
    assertProblem(await tenant.post(rates, { currency: 'EUR', rate: null }), 404, 'not_found');
    // A source of another merchant, and one that is not there.
    for (const source of [wallet(points), wallet(randomUUID()), { type: 'giftcard', giftcard_id: randomUUID() }]) {
      assertProblem(await tenant.post('/v1/payments', asked(1, [source])), 404, 'not_found');
      assertProblem(await tenant.post('/v1/payments/quote', asked(1, [source])), 404, 'not_found');
    }
    assert.equal((await own.client.get(`/v1/payments/${id}`, { caller: operator })).status, 200);
    assertProblem(await own.client.get('/v1/payments', { caller: operator }), 403, 'forbidden');
  });

  it('keep their holds and captures to themselves', async () => {
    const points = await tenant.wallet(300);
    const held = await pay(tenant, 100, [wallet(points)], { capture: false });
    const hold = `/v1/holds/${held.sources[0]?.hold_id}`;
    assertProblem(await tenant.post(`${hold}/release`, {}), 409, 'transaction_managed');
    assertProblem(await tenant.post(`${hold}/capture`, {}), 409, 'transaction_managed');
    const paid = await decided(tenant, held.id, 'capture');
    const capture = `/v1/transactions/${paid.sources[0]?.capture_id}/reverse`;
    assertProblem(await tenant.post(capture, {}), 409, 'transaction_managed');
  });

  it('are announced when they come to rest, in that order', async () => {
    const own = await Tenant.open(tenant.client);
    await setRate(own, 1, 1);
    const points = await own.wallet(100);
    const held = await pay(own, 10, [wallet(points)], { capture: false });
    await decided(own, held.id, 'capture');
    await refund(own, held.id, { amount: 4 });
    const other = await pay(own, 10, [wallet(points)], { capture: false });
    await decided(own, other.id, 'void');
    await own.post('/v1/payments', asked(1_000, [wallet(points)]));
    const seen = await outbox(stack.sql(), [held.id, other.id]);
    assert.deepEqual(
      seen.map(({ aggregate_id, payload }) => [aggregate_id, payload.event_type]),
      [
        [held.id, 'payment.held'],
        [held.id, 'payment.captured'],
        [held.id, 'payment.refunded'],
        [other.id, 'payment.held'],
        [other.id, 'payment.voided'],
      ],
    );
    for (const { topic, payload } of seen) {
      const { topic: expected, schema } = announcedEvents[payload.event_type as 'payment.held'];
      assert.equal(topic, expected);
      schema.parse(payload);
    }
  });
});

interface OutboxRow {
  readonly aggregate_id: string;
  readonly topic: string;
  readonly payload: { readonly event_type: string };
}

async function outbox(sql: postgres.Sql, ids: readonly string[]): Promise<OutboxRow[]> {
  return sql<OutboxRow[]>`select aggregate_id, event_type as topic, payload from outbox
    where aggregate_id = any(${[...ids]}) order by place`;
}

/** What was before, and after, of each change of a program's rates. */
async function audited(sql: postgres.Sql, programId: string): Promise<unknown[]> {
  const rows = await sql<{ entry: { before: unknown; after: unknown } }[]>`select entry from audit_entries
    where entry ->> 'action' = 'payment_rate.set' and entry -> 'target' ->> 'id' = ${programId} order by place`;
  return rows.map(({ entry }) => [entry.before, entry.after]);
}
