/** Payments whose time is over, two processes at one payment, and sources that refuse to take back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { problem, type payments as wire } from '@local-plus/contracts';
import type postgres from 'postgres';
import type { Receipt } from '../ledger/index.ts';
import { assertProblem, eventually, TestStack } from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';
import { paymentLimits } from './limits.ts';
import type { PaymentRow } from './store.ts';
import { decide, pay, paymentOf, pointsOf, setRate, wallet } from './test/merchant.ts';
import { Fuse, Killed, PaymentRig, soon } from './test/rig.ts';

const refused: Receipt = {
  type: 'refused',
  code: 'reversals_limit_exceeded',
  problem: problem('reversals_limit_exceeded', 'r'),
  replayed: false,
};

describe('payments at their edges', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let rig: PaymentRig;
  let sql: postgres.Sql;

  before(async () => {
    const { client, app } = await stack.serve();
    sql = stack.sql();
    tenant = await Tenant.open(client);
    await setRate(tenant, 1, 1);
    const held = async (more: object) =>
      pay(tenant, 100, [wallet(await tenant.wallet(300))], { capture: false, ...more });
    short = await held({ expires_in_s: 1 });
    late = await held({});
    wallets = await Promise.all(Array.from({ length: 12 }, () => tenant.wallet(1_000)));
    await app.stop();
    rig = new PaymentRig(stack.postgres.url, tenant.caller.merchantId as string, tenant.programId);
    await rig.start();
  });
  after(() => stack.stop());

  let short: wire.Payment;
  let late: wire.Payment;
  let wallets: string[];
  const take = (): string => wallets.pop() as string;

  async function killed(run: Promise<unknown>): Promise<void> {
    await assert.rejects(run, Killed);
  }
  async function due({ id }: PaymentRow): Promise<void> {
    await sql`update payments set due_at = now() where id = ${id}`;
  }
  /** Is not undone, and then pauses for so many seconds: the clock is read before and after, however long that takes. */
  async function assertPauses(seconds: number, run: () => Promise<unknown>): Promise<void> {
    const [before] = await sql<{ at: string }[]>`select now()::text as at`;
    await assert.rejects(run, { code: 'unavailable' });
    const { id } = await newest();
    const [found] = await sql<{ least: number; most: number }[]>`
      select extract(epoch from due_at - now())::float8 as least,
        extract(epoch from due_at - ${before?.at ?? ''}::timestamptz)::float8 as most from payments where id = ${id}`;
    assert.ok(found && found.least <= seconds && found.most >= seconds, `${JSON.stringify(found)}, not ${seconds}`);
  }
  async function newest(): Promise<PaymentRow> {
    const [row] = await sql<{ id: string }[]>`select id from payments order by id desc limit 1`;
    const found = await rig.hand().store.one(row?.id ?? '');
    assert.ok(found);
    return found;
  }

  it('are not captured when their holds came too late for whoever waited', async () => {
    const [a, b] = [take(), take()];
    await killed(
      rig.pay(rig.hand(new Fuse(3, 'after')), [
        [a, 10],
        [b, 10],
      ]),
    );
    const row = await newest();
    assert.equal(row.status, 'holding');
    await sql`update payments set created_at = created_at - interval '61 seconds' where id = ${row.id}`;
    const done = await rig.hand().process.settle(row, soon());
    assert.deepEqual([done.status, done.failure], ['failed', { code: 'payment_expired', source: null }]);
  });

  it('are brought to one end by two processes at the same time', async () => {
    for (let call = 2; call <= 6; call++) {
      const [a] = [take()];
      await killed(
        rig.pay(rig.hand(new Fuse(call, 'after')), [
          [a, 10],
          [a, 20],
        ]),
      );
      const row = await newest();
      const hands = Array.from({ length: 4 }, () => rig.hand().process.settle(row, soon()));
      const statuses = new Set((await Promise.all(hands)).map(({ status, row_version }) => `${status} ${row_version}`));
      assert.deepEqual([...statuses], ['captured 3']);
      wallets.unshift(a);
    }
  });

  it('keep the refusal of a source that would not refuse any more, and the other way round', async () => {
    for (const [first, then] of [
      ['giftcard_expired', null],
      [null, 'giftcard_expired'],
    ] as const) {
      const a = take();
      rig.declines = first;
      await killed(rig.pay(rig.hand(new Fuse(2, 'after')), [[a, 10]]));
      rig.declines = then;
      const done = await rig.hand().process.settle(await newest(), soon());
      assert.deepEqual([done.status, done.failure?.code], first === null ? ['captured', undefined] : ['failed', first]);
    }
    rig.declines = null;
  });

  it('stay on their way while a capture cannot be undone, and are undone when it can', async () => {
    const [a, b] = [take(), take()];
    let refusals = 0;
    rig.meddle = async ({ terms, command }) => {
      if (command.kind === 'reverse' && refusals++ === 0) return refused;
      if (command.kind === 'capture' && terms.accountId === b) return { ...refused, code: 'hold_closed' };
      return undefined;
    };
    await assert.rejects(
      rig.pay(rig.hand(), [
        [a, 10],
        [b, 10],
      ]),
      { code: 'unavailable' },
    );
    const row = await newest();
    assert.deepEqual([row.status, row.sources.map(({ undoTries }) => undoTries)], ['releasing', [1, 0]]);
    await assert.rejects(rig.hand().process.settle(row, soon()), { code: 'unavailable' });
    assert.equal(refusals, 1, 'who asks before it is due adds no refusal');
    await due(row);
    const done = await rig.hand().process.settle(await newest(), soon());
    assert.equal(done.status, 'failed');
    rig.meddle = async () => undefined;
  });

  it('are tried to be undone less and less often', async () => {
    const [a, b] = [take(), take()];
    let isFull = true;
    rig.meddle = async ({ terms, command }) => {
      if (command.kind === 'reverse' && isFull) return refused;
      if (command.kind === 'capture' && terms.accountId === b) return { ...refused, code: 'hold_closed' };
      return undefined;
    };
    const both = [a, b].map((id) => [id, 10] as const);
    const settled = async () => rig.hand().process.settle(await newest(), soon());
    const { leaseSeconds, undoPauseSecondsMax } = paymentLimits;
    await assertPauses(2 * leaseSeconds, () => rig.pay(rig.hand(), both));
    for (let tries = 1; tries <= 4; tries++) {
      const row = await newest();
      assert.equal(row.sources[0]?.undoTries, tries);
      await due(row);
      await assertPauses(leaseSeconds * 2 ** (tries + 1), settled);
    }
    const row = await newest();
    const sources = row.sources.map((source) => ({ ...source, undoTries: 40 }));
    await sql`update payments set sources = ${sql.json(sources as never)}, due_at = now() where id = ${row.id}`;
    await assertPauses(undoPauseSecondsMax, settled);
    isFull = false;
    await due(row);
    assert.equal((await settled()).status, 'failed');
    const [given] = await sql<{ balance: number }[]>`
      select balance_after::int as balance from transactions where account_id = ${a} order by version desc limit 1`;
    assert.equal(given?.balance, 1_000);
    rig.meddle = async () => undefined;
  });

  it('can be refunded again what a source would not take back', async () => {
    const [a, b] = [take(), take()];
    const paid = await rig.pay(rig.hand(), [
      [a, 10],
      [b, 10],
    ]);
    rig.meddle = async ({ terms, command }) => {
      return command.kind === 'reverse' && terms.accountId === b ? refused : undefined;
    };
    const partial = await rig.refund(rig.hand(), paid.id, 15);
    assert.deepEqual(
      [partial.status, partial.parts.map(({ refusal }) => refusal)],
      ['partial', ['reversals_limit_exceeded', null]],
    );
    rig.meddle = async () => undefined;
    const between = await rig.hand().store.one(paid.id);
    assert.equal(between?.refunded_amount, 5);
    const rest = await rig.refund(rig.hand(), paid.id, 15);
    assert.deepEqual([rest.status, rest.parts.length], ['succeeded', 2]);
    assert.equal((await rig.hand().store.one(paid.id))?.refunded_amount, 20);
  });

  it('are voided by themselves when their time is over, and cannot be captured any more', async () => {
    await sql`update payments set expires_at = now() - interval '1 second' where id = ${late.id}`;
    await rig.stop();
    const { client } = await stack.startCore();
    tenant.client = client;
    assertProblem(await decide(tenant, late.id, 'capture'), 409, 'payment_expired');
    await eventually('it is voided', async () => (await paymentOf(tenant, short.id)).status === 'voided');
    const [source] = short.sources;
    assert.ok(source?.type === 'wallet');
    assert.deepEqual(await pointsOf(tenant, source.wallet_id), [300, 0]);
    assertProblem(await decide(tenant, short.id, 'capture'), 409, 'payment_not_held');
  });

  it('leave nothing held', async () => {
    await eventually('no payment is on its way', async () => {
      const rows = await sql`select from payments where status not in ('captured', 'failed', 'voided', 'held')`;
      return rows.length === 0;
    });
    const [sums] = await sql<{ held: string; paid: string }[]>`
      select sum(held_after)::text as held from (
        select distinct on (account_id) held_after from transactions order by account_id, version desc
      ) as newest`;
    // Of the one that is late, whose due time was never moved.
    assert.equal(sums?.held, '100');
  });
});
