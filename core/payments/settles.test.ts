/**
 * Payments whose process dies: at every call of a port, before and after it did its work. What is left is settled by the sweep
 * of a core that starts afterwards; nothing is half captured, nothing stays held, nothing is given back twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { payments as wire } from '@local-plus/contracts';
import { eventually, TestStack } from '../test/stack.ts';
import { allPages, Tenant } from '../test/tenant.ts';
import { paymentOf, pointsOf, setRate } from './test/merchant.ts';
import { Fuse, Killed, neverBlown, PaymentRig } from './test/rig.ts';

/** Calls of ports of the longest scenario are fewer. */
const CALLS_MAX = 60;
const WALLET = 1_000;

/** Of both wallets: balance and what is held of it. */
type Points = [[number, number], [number, number]];

interface Left {
  readonly wallets: readonly [string, string];
  /** Of a payment that was not created at all: null. */
  readonly paymentId: string | null;
}

describe('payments whose process dies', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let rig: PaymentRig;
  let payments: wire.Payment[] = [];

  /** New wallets for each death: what is left in them tells what became of the payment. */
  const spare: [string, string][] = [];
  const left: Record<'paid' | 'refused' | 'torn' | 'refunded', Left[]> = {
    paid: [],
    refused: [],
    torn: [],
    refunded: [],
  };

  before(async () => {
    const { client, app } = await stack.serve();
    tenant = await Tenant.open(client);
    await setRate(tenant, 1, 1);
    for (let count = 0; count < 4 * CALLS_MAX; count++) {
      spare.push([await tenant.wallet(WALLET), await tenant.wallet(WALLET)]);
    }
    await app.stop();
    rig = new PaymentRig(stack.postgres.url, tenant.caller.merchantId as string, tenant.programId);
    await rig.start();
  });
  after(() => stack.stop());

  function take(): [string, string] {
    const pair = spare.pop();
    assert.ok(pair, 'there are wallets for every death');
    return pair;
  }

  /** Runs it again and again, killed one call later each time, until it comes through. */
  async function killedEverywhere(
    run: (fuse: Fuse, wallets: [string, string], note: (id: string) => void) => Promise<void>,
    into: Left[],
  ): Promise<number> {
    let deaths = 0;
    for (const when of ['before', 'after'] as const) {
      for (let call = 1; call < CALLS_MAX; call++) {
        const fuse = new Fuse(call, when);
        const wallets = take();
        let paymentId: string | null = null;
        const ended = await run(fuse, wallets, (id) => {
          paymentId = id;
        }).then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof Killed, String(error));
            return false;
          },
        );
        into.push({ wallets, paymentId });
        if (ended) break;
        deaths++;
      }
    }
    return deaths;
  }

  it('at each step of being paid', async () => {
    const deaths = await killedEverywhere(async (fuse, [a, b]) => {
      const row = await rig.pay(rig.hand(fuse), [
        [a, 300],
        [b, 200],
      ]);
      assert.equal(row.status, 'captured');
    }, left.paid);
    // The row, two holds, the decision, two captures, the end: twice.
    assert.equal(deaths, 14);
  });

  it('at each step of being refused by the second source', async () => {
    const deaths = await killedEverywhere(async (fuse, [a, b]) => {
      const row = await rig.pay(rig.hand(fuse), [
        [a, 300],
        [b, WALLET + 1],
      ]);
      assert.deepEqual([row.status, row.failure], ['failed', { code: 'insufficient_funds', source: 1 }]);
    }, left.refused);
    // The row, two holds, the refusal, a release, the end.
    assert.equal(deaths, 12);
  });

  it('at each step of being undone, when one capture is refused after the other was made', async () => {
    const deaths = await killedEverywhere(async (fuse, [a, b]) => {
      // The hold of the second source goes away before its capture: nobody may, but all or nothing holds even then.
      rig.meddle = async ({ terms, command }) => {
        if (command.kind !== 'capture' || terms.accountId !== b) return undefined;
        await rig.post(b, { kind: 'release', hold: command.hold }, `meddle ${b}`);
        return undefined;
      };
      const row = await rig.pay(rig.hand(fuse), [
        [a, 300],
        [b, 200],
      ]);
      assert.deepEqual([row.status, row.failure], ['failed', { code: 'hold_closed', source: 1 }]);
    }, left.torn);
    rig.meddle = async () => undefined;
    // The row, two holds, the decision, two captures, the refusal; capture again and reversal, release; the end.
    assert.equal(deaths, 22);
  });

  it('at each step of a refund', async () => {
    const deaths = await killedEverywhere(async (fuse, [a, b], note) => {
      const paid = await rig.pay(rig.hand(neverBlown()), [
        [a, 300],
        [b, 200],
      ]);
      note(paid.id);
      await rig.refund(rig.hand(fuse), paid.id, 250);
    }, left.refunded);
    // The payment read, the refund, the payment again; each capture again, two reversals; the end.
    assert.equal(deaths, 16);
  });

  it('come to rest with the next process', async () => {
    await rig.stop();
    const { client } = await stack.startCore();
    tenant.client = client;
    await eventually('every payment is at rest', async () => {
      payments = await allPayments(tenant);
      return payments.every(({ status }) => atRest.has(status));
    });
    assert.ok(payments.length > left.paid.length + left.refused.length);
  });

  const untouched: Points = [
    [WALLET, 0],
    [WALLET, 0],
  ];
  const taken: Points = [
    [WALLET - 300, 0],
    [WALLET - 200, 0],
  ];
  const inWallets = async ([a, b]: Left['wallets']): Promise<Points> => [
    await pointsOf(tenant, a),
    await pointsOf(tenant, b),
  ];
  const paymentFrom = ([id]: Left['wallets']) =>
    payments.find(({ sources }) => sources.some((source) => source.type === 'wallet' && source.wallet_id === id));

  it('are captured wholly, if they are there at all', async () => {
    for (const { wallets } of left.paid) {
      const payment = paymentFrom(wallets);
      assert.ok(payment === undefined || payment.status === 'captured');
      assert.deepEqual(await inWallets(wallets), payment === undefined ? untouched : taken);
    }
  });

  it('take nothing, if they are refused', async () => {
    for (const { wallets } of left.refused) {
      const payment = paymentFrom(wallets);
      assert.ok(payment === undefined || payment.status === 'failed');
      assert.deepEqual(await inWallets(wallets), untouched);
    }
  });

  it('take all or nothing, if one capture is refused', async () => {
    const ends = new Set<string>();
    for (const { wallets } of left.torn) {
      const payment = paymentFrom(wallets);
      if (payment !== undefined) ends.add(payment.status);
      // The meddler died with the rig: a payment that he had not met is captured.
      assert.deepEqual(await inWallets(wallets), payment?.status === 'captured' ? taken : untouched);
    }
    assert.deepEqual([...ends].sort(), ['captured', 'failed']);
  });

  it('are refunded once', async () => {
    for (const { wallets, paymentId } of left.refunded) {
      const path = `/v1/payments/${paymentId}/refunds`;
      let refunds: wire.Refund[] = [];
      await eventually('the refund is at its end', async () => {
        refunds = (await tenant.read(path, wire.refundPage)).data;
        return refunds.every(({ status }) => status === 'succeeded');
      });
      const payment = await paymentOf(tenant, paymentId as string);
      assert.equal(payment.refunded_amount, refunds.length === 0 ? 0 : 250);
      // The last source first: all 200 of it, then 50 of the other.
      const back: Points = [
        [WALLET - 250, 0],
        [WALLET, 0],
      ];
      assert.deepEqual(await inWallets(wallets), refunds.length === 0 ? taken : back);
    }
  });
});

const atRest: ReadonlySet<string> = new Set(['captured', 'failed', 'voided']);

async function allPayments(tenant: Tenant): Promise<wire.Payment[]> {
  const pages = await allPages((cursor) => tenant.read(`/v1/payments?limit=100${cursor}`, wire.paymentPage));
  return pages.flatMap(({ data }) => data);
}
