/**
 * Payments and gift cards on several real processes of core, which are killed and stopped meanwhile: whichever is asked, and
 * whoever serves a source. Afterwards every answer holds, nothing is held any more, and the sums agree to the unit.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { giftcards, liability, payments as wire } from '@local-plus/contracts';
import { Fleet } from '../shards/test/fleet.ts';
import { codeKeysText, eventually, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { asked, card, pointsOf, setRate, wallet } from './test/merchant.ts';

const SOURCES = 24;
const LANES = 12;
const [WALLET, CARD] = [100_000, 60_000];
/** Of the payments, this one in so many is more than its wallet has. */
const TOO_MUCH_EVERY = 9;
const REFUNDED_EVERY = 4;

/** What has to be left of an account, by the answers. */
type Expected = Map<string, number>;

describe('payments on several processes', () => {
  const stack = new TestStack();
  const fleet = new Fleet(stack, { GIFTCARD_CODE_KEYS: codeKeysText });
  const walletIds: string[] = [];
  const cardIds: string[] = [];
  const expected: Expected = new Map();
  const done = { captured: 0, failed: 0, refunds: 0, redeemed: 0, again: 0 };
  let tenant: Tenant;
  let euros: Tenant;

  before(async () => {
    await stack.startPostgres();
    await fleet.start(1);
    await Promise.all([fleet.start(2), fleet.start(3)]);
    await fleet.settlesOn(1, 2, 3);
    tenant = await Tenant.open(fleet.member(1).client);
    await setRate(tenant, 1, 1);
    euros = await tenant.sibling({ unit: 'EUR' });
    for (let count = 0; count < SOURCES; count++) {
      walletIds.push(await tenant.wallet(WALLET));
      const issued = { program_id: euros.programId, amount: CARD };
      cardIds.push((await tenant.made('/v1/giftcards', issued, giftcards.issuedGiftcard)).id);
    }
    for (const id of walletIds) expected.set(id, WALLET);
    for (const id of cardIds) expected.set(id, CARD);
  });
  after(async () => {
    fleet.stop();
    await stack.stop();
  });

  const ask = (target: string, body: object) =>
    fleet.ask(tenant.caller, target, body, randomUUID(), () => {
      done.again++;
    });
  const moves = (id: string, amount: number) => expected.set(id, (expected.get(id) ?? 0) + amount);

  async function pay(number: number): Promise<void> {
    const walletId = walletIds[number % SOURCES] as string;
    const cardId = cardIds[(number * 5 + 1) % SOURCES] as string;
    const points = number % TOO_MUCH_EVERY === 0 ? WALLET + 1 : 3;
    const answer = await ask('/v1/payments', asked(points + 2, [wallet(walletId, points), card(cardId, 2)]));
    if (answer.status === 409) {
      assert.equal(points, WALLET + 1, answer.text);
      done.failed++;
      return;
    }
    const paid = parsed(answer, 201, wire.payment);
    assert.equal(paid.status, 'captured');
    done.captured++;
    moves(walletId, -points);
    moves(cardId, -2);
    if (number % REFUNDED_EVERY === 0) await refund(paid, [walletId, cardId]);
    if (number % REFUNDED_EVERY === 1) await redeem(cardId);
  }

  async function refund({ id }: wire.Payment, sources: readonly string[]): Promise<void> {
    const given = parsed(await ask(`/v1/payments/${id}/refund`, { amount: 4 }), 201, wire.refund);
    assert.equal(given.status, 'succeeded', JSON.stringify(given));
    for (const { source, points } of given.parts) moves(sources[source] as string, points);
    done.refunds++;
  }

  async function redeem(id: string): Promise<void> {
    const activity = parsed(await ask(`/v1/giftcards/${id}/redeem`, { amount: 1 }), 201, giftcards.activity);
    assert.equal(activity.amount, 1);
    moves(id, -1);
    done.redeemed++;
  }

  it('are all or nothing while processes die, leave and come back', async () => {
    let isOver = false;
    let number = 1;
    const lanes = Array.from({ length: LANES }, async () => {
      while (!isOver) await pay(number++);
    });
    const past = (count: number) => eventually(`${count} payments`, () => done.captured >= count, 120_000);
    await past(100);
    await fleet.kill(2);
    await fleet.settlesOn(1, 3);
    await past(done.captured + 100);
    await fleet.start(2);
    await fleet.settlesOn(1, 2, 3);
    await fleet.terminate(3);
    await fleet.settlesOn(1, 2);
    await past(done.captured + 100);
    await fleet.kill(1);
    await fleet.settlesOn(2);
    await past(done.captured + 100);
    isOver = true;
    await Promise.all(lanes);
    console.log(`meanwhile: ${JSON.stringify(done)}`);
    assert.ok(done.failed > 0 && done.refunds > 0 && done.redeemed > 0, JSON.stringify(done));
  });

  it('have taken and given back just what was answered, and hold nothing', async () => {
    tenant.client = fleet.member(2).client;
    for (const id of walletIds) {
      await eventually(`nothing of wallet ${id} is held`, async () => (await pointsOf(tenant, id))[1] === 0);
      assert.deepEqual(await pointsOf(tenant, id), [expected.get(id), 0], `wallet ${id}`);
    }
    const cardOf = (id: string) => tenant.read(`/v1/giftcards/${id}`, giftcards.giftcard);
    for (const id of cardIds) {
      await eventually(`nothing of card ${id} is held`, async () => (await cardOf(id)).held === 0);
      assert.equal((await cardOf(id)).balance, expected.get(id), `card ${id}`);
    }
  });

  it('are what the merchant owes by then, and each rests', async () => {
    for (const [programId, ids] of [
      [tenant.programId, walletIds],
      [euros.programId, cardIds],
    ] as const) {
      const owed = ids.reduce((sum, id) => sum + (expected.get(id) ?? 0), 0);
      const report = () => tenant.read(`/v1/programs/${programId}/liability`, liability.programLiability);
      await eventually('the report has all of it', async () => (await report()).total.closing === String(owed));
    }
    const sql = stack.sql(1);
    const statuses = await sql`select status, count(*)::int as count from payments group by status order by status`;
    assert.deepEqual(
      statuses.map(({ status, count }) => [status, count]),
      [
        ['captured', done.captured],
        ['failed', done.failed],
      ],
    );
  });
});
