/** Liability over HTTP on a real Postgres: what programs owe, and what it agrees with. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { movements, payments, wallets, liability as wire } from '@local-plus/contracts';
import { assertProblem, eventually, operator, TestStack } from '../test/stack.ts';
import { allPages, Tenant } from '../test/tenant.ts';
import { wellWithinDay } from '../test/time.ts';
import { liabilityLimits } from './limits.ts';

const today = () => new Date().toISOString().slice(0, 10);

describe('liability over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  const report = (of: Tenant, query = '') =>
    of.read(`/v1/programs/${of.programId}/liability${query}`, wire.programLiability);

  /** Reports look at the ledger once a second at most. */
  async function reported(of: Tenant, transactions: number): Promise<wire.ProgramLiability> {
    let found: wire.ProgramLiability | null = null;
    await eventually('all of it is reported', async () => {
      found = await report(of);
      return found.total.transactions === transactions;
    });
    assert.ok(found);
    return found;
  }

  it('says of every kind of movement where it went, and adds up to the balances', async () => {
    const program = await tenant.sibling();
    const [a, b] = [await program.wallet(1_000), await program.wallet(500)];
    const post = (path: string, body: object) => program.made(`/v1/wallets/${a}/${path}`, body, wallets.transaction);
    const burnt = await post('burn', { amount: 150 });
    await post('adjust', { direction: 'in', amount: 30, reason: 'forgotten' });
    await post('adjust', { direction: 'out', amount: 10, reason: 'too much' });
    const hold = await program.made(`/v1/wallets/${a}/holds`, { amount: 200 }, movements.hold);
    await program.made(`/v1/holds/${hold.id}/capture`, { amount: 120, final: true }, wallets.transaction);
    await program.made(`/v1/transactions/${burnt.id}/reverse`, { amount: 40 }, wallets.transaction);
    const earned = await post('earn', { amount: 77 });
    await program.made(`/v1/transactions/${earned.id}/reverse`, {}, wallets.transaction);
    await program.made('/v1/transfers', { from_wallet_id: a, to_wallet_id: b, amount: 60 }, movements.transfer);
    // Two earns of the wallets, then these: ten rows, and the transfer's two.
    const { days, total, unit, as_of } = await reported(program, 12);
    const day = days.at(-1);
    assert.equal(unit, 'PTS');
    assert.ok(as_of !== null && Date.parse(as_of) <= Date.now());
    assert.deepEqual(day, {
      day: today(),
      opening: '0',
      issued: '1577',
      redeemed: '270',
      expired: '0',
      adjusted: '20',
      transferred: '0',
      reversed: '-37',
      breakage_ppm: 0,
      closing: '1290',
      transactions: 12,
      late_transactions: 0,
      is_closed: false,
    });
    assert.deepEqual([total.opening, total.closing], ['0', '1290']);
    const balances = await Promise.all([a, b].map(async (id) => (await program.balance(id)).balance));
    assert.equal((balances[0] as number) + (balances[1] as number), 1_290);
  });

  it('has every day of a period, and what the closing balance would pay at the rates in force', async () => {
    const program = await tenant.sibling();
    await program.wallet(1_001);
    const rates = `/v1/programs/${program.programId}/payment-rates`;
    for (const [currency, points, amount] of [
      ['EUR', 3, 2],
      ['EUR', 2, 1],
      ['USD', 1, 1],
    ] as const) {
      await program.made(rates, { currency, rate: { points, amount } }, payments.paymentRate);
    }
    await program.made(rates, { currency: 'USD', rate: null }, payments.paymentRate);
    await reported(program, 1);
    const to = today();
    const from = new Date(Date.parse(to) - 9 * 86_400_000).toISOString().slice(0, 10);
    const { days, value, as_of } = await report(program, `?from=${from}&to=${to}`);
    assert.deepEqual([days.length, days[0]?.day, days.at(-1)?.day], [10, from, to]);
    assert.ok(days.slice(0, 9).every(({ closing }) => closing === '0'));
    // Yesterday is still open while today is young.
    const isYoung = Date.parse(as_of ?? '') < Date.parse(to) + liabilityLimits.graceMs;
    assert.deepEqual(
      days.map(({ is_closed }) => is_closed),
      [...Array(8).fill(true), !isYoung, false],
    );
    assert.deepEqual(value, [{ currency: 'EUR', amount: '500', rate: { version: 2, points: 2, amount: 1 } }]);
    const past = await report(program, `?from=${from}&to=${from}`);
    assert.deepEqual([past.total.closing, past.value], ['0', []]);
    const ahead = await report(program, '?from=2999-01-01&to=2999-01-02');
    assert.deepEqual([ahead.total.opening, ahead.total.closing, ahead.days[0]?.is_closed], ['1001', '1001', false]);
  });

  it('lists the days of all programs of a merchant, newest first, each once', async () => {
    const own = await Tenant.open(tenant.client);
    const others = [own, await own.sibling({ unit: 'MILES' }), await own.sibling()];
    for (const [index, each] of others.entries()) await each.wallet(100 * (index + 1));
    for (const each of others) await reported(each, 1);
    const pages = await allPages((cursor) => own.read(`/v1/liability?limit=2${cursor}`, wire.liabilityPage));
    const seen = pages.flatMap(({ data }) => data);
    const ids = others.map(({ programId }) => programId).sort();
    assert.deepEqual(
      seen.map(({ program_id }) => program_id),
      ids.reverse(),
    );
    for (const [index, { programId }] of others.entries()) {
      const found = seen.find(({ program_id }) => program_id === programId);
      assert.deepEqual([found?.day, found?.opening, found?.closing], [today(), '0', String(100 * (index + 1))]);
      assert.equal(found?.unit, index === 1 ? 'MILES' : 'PTS');
    }
    assert.deepEqual((await own.read('/v1/liability?to=2020-01-31', wire.liabilityPage)).data, []);
    for (const wrong of [
      'x',
      '2020-01-01',
      `2999-01-01_${randomUUID()}`,
      '2020-02-31_00000000-0000-7000-8000-000000000000',
    ]) {
      assertProblem(await own.get(`/v1/liability?cursor=${wrong}`), 400, 'invalid_cursor');
    }
  });

  it('is asked for days of the calendar, in order, and not too many', async () => {
    for (const query of ['from=2026-02-30', 'from=1999-01-01', 'to=2026-1-1', 'from=2026-03-02&to=2026-03-01']) {
      const problem = assertProblem(
        await tenant.get(`/v1/programs/${tenant.programId}/liability?${query}`),
        400,
        'invalid_request',
      );
      assert.match(problem.errors?.[0]?.pointer ?? '', /^\?(?:from|to)$/);
      assertProblem(await tenant.get(`/v1/liability?${query}`), 400, 'invalid_request');
    }
    const year = `/v1/programs/${tenant.programId}/liability?from=2024-01-01`;
    assert.equal((await tenant.get(`${year}&to=2024-12-31`)).status, 200);
    assertProblem(await tenant.get(`${year}&to=2025-01-01`), 400, 'invalid_request');
  });

  it('is told to nobody else', async () => {
    const other = await Tenant.open(tenant.client);
    assertProblem(await other.get(`/v1/programs/${tenant.programId}/liability`), 404, 'not_found');
    assertProblem(await tenant.get(`/v1/programs/${randomUUID()}/liability`), 404, 'not_found');
    assert.deepEqual((await other.read('/v1/liability', wire.liabilityPage)).data, []);
    const path = `/v1/programs/${tenant.programId}/liability`;
    assert.equal((await tenant.client.get(path, { caller: operator })).status, 200);
    assertProblem(await tenant.client.get('/v1/liability', { caller: operator }), 403, 'forbidden');
  });
});
