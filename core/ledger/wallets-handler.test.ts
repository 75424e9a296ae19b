/** What one wallet gains and spends, its corrections, its freeze, and its history, over HTTP on a real Postgres. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { movements, wallets } from '@local-plus/contracts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { allPages, parsed, Tenant } from '../test/tenant.ts';
import { anotherMillisecond, wellWithinDay } from '../test/time.ts';

describe('a wallet over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  it('is adjusted in both directions, and not below zero', async () => {
    const wallet = await tenant.wallet(100);
    const target = `/v1/wallets/${wallet}/adjust`;
    const out = {
      direction: 'out',
      amount: 70,
      reason: 'counted twice',
      reference: 'case 7',
      metadata: { by: 'desk' },
    };
    const down = await tenant.made(target, out, wallets.transaction);
    assert.deepEqual(
      [down.kind, down.amount, down.balance_after, down.reference, down.metadata, down.reversal_of],
      ['adjust', 70, 30, 'case 7', { by: 'desk' }, null],
    );
    const entries = (await tenant.read(`/v1/transactions/${down.id}`, wallets.transactionWithEntries)).entries;
    assert.deepEqual(
      entries.map(({ amount }) => amount),
      [-70, 70],
    );
    const key = randomUUID();
    const refused = await tenant.post(target, { ...out, amount: 31 }, key);
    const { detail } = assertProblem(refused, 409, 'insufficient_funds');
    assert.equal(detail, 'Available is 30; the adjustment asks for 31.');
    const up = await tenant.made(target, { direction: 'in', amount: 5, reason: 'goodwill' }, wallets.transaction);
    assert.equal(up.balance_after, 35);
    const again = await tenant.post(target, { ...out, amount: 31 }, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [refused.text, 'true']);
  });

  it('is frozen and unfrozen: nothing moves meanwhile but what corrects it', async () => {
    const wallet = await tenant.wallet(100);
    const path = `/v1/wallets/${wallet}`;
    const hold = await tenant.made(`${path}/holds`, { amount: 10 }, movements.hold);
    const other = await tenant.made(`${path}/holds`, { amount: 10 }, movements.hold);
    assertProblem(await tenant.post(`${path}/unfreeze`, { reason: 'r' }), 409, 'account_not_frozen');
    const freeze = await tenant.made(`${path}/freeze`, { reason: 'stolen' }, wallets.transaction);
    assert.deepEqual([freeze.kind, freeze.amount, freeze.balance_after, freeze.held_after], ['freeze', 0, 100, 20]);
    assert.deepEqual((await tenant.read(`/v1/transactions/${freeze.id}`, wallets.transactionWithEntries)).entries, []);
    const already = assertProblem(await tenant.post(`${path}/freeze`, { reason: 'r' }), 409, 'account_frozen');
    assert.equal(already.detail, 'The account is frozen already.');
    assert.equal((await tenant.read(path, wallets.wallet)).status, 'frozen');
    for (const [target, body] of [
      [`${path}/earn`, { amount: 1 }],
      [`${path}/burn`, { amount: 1 }],
      [`${path}/holds`, { amount: 1 }],
      [`/v1/holds/${hold.id}/capture`, {}],
      ['/v1/transfers', { from_wallet_id: wallet, to_wallet_id: await tenant.wallet(), amount: 1 }],
      ['/v1/transfers', { from_wallet_id: await tenant.wallet(1), to_wallet_id: wallet, amount: 1 }],
    ] as const) {
      assertProblem(await tenant.post(target, body), 409, 'account_frozen');
    }
    await tenant.made(`${path}/adjust`, { direction: 'in', amount: 1, reason: 'r' }, wallets.transaction);
    await tenant.made(`/v1/holds/${other.id}/release`, {}, wallets.transaction);
    await tenant.made(
      `/v1/transactions/${(await tenant.history(wallet))[0]?.id}/reverse`,
      { amount: 1 },
      wallets.transaction,
    );
    const unfreeze = await tenant.made(`${path}/unfreeze`, { reason: 'found' }, wallets.transaction);
    assert.deepEqual([unfreeze.kind, unfreeze.amount, unfreeze.balance_after], ['unfreeze', 0, 100]);
    const read = await tenant.read(path, wallets.wallet);
    assert.deepEqual([read.status, read.balance, read.held], ['active', 100, 10]);
    await tenant.made(`/v1/holds/${hold.id}/capture`, {}, wallets.transaction);
  });

  it('earns, and is adjusted, under the expiry of its program; what is transferred keeps its day', async () => {
    const expiring = await tenant.sibling({ point_expiry: { period: 'days', count: 90 } });
    const [wallet, other] = [await expiring.wallet(), await expiring.wallet()];
    const earn = await expiring.made(`/v1/wallets/${wallet}/earn`, { amount: 5 }, wallets.transaction);
    const adjust = { direction: 'in', amount: 6, reason: 'r' };
    await expiring.made(`/v1/wallets/${wallet}/adjust`, adjust, wallets.transaction);
    const transfer = { from_wallet_id: wallet, to_wallet_id: other, amount: 3 };
    await expiring.made('/v1/transfers', transfer, movements.transfer);
    const sql = stack.sql();
    const rows = await sql`select kind, detail->'lots' as lots from transactions
      where account_id in ${sql([wallet, other])} order by seq`;
    const day = Math.floor(Date.parse(earn.created_at) / 86_400_000) + 90;
    const changes = [
      ['earn', [[day, 5]]],
      ['adjust', [[day, 6]]],
      ['transfer_out', [[day, -3]]],
      ['transfer_in', [[day, 3]]],
    ];
    assert.deepEqual(
      rows.map(({ kind, lots }) => [kind, lots]),
      changes,
    );
  });

  it('shows what of its history was asked for', async () => {
    const wallet = await tenant.wallet(100);
    const path = `/v1/wallets/${wallet}`;
    await tenant.made(`${path}/burn`, { amount: 1, reference: 'order 1' }, wallets.transaction);
    await tenant.made(`${path}/burn`, { amount: 2, reference: 'order 2' }, wallets.transaction);
    await tenant.made(`${path}/earn`, { amount: 3, reference: 'order 1' }, wallets.transaction);
    await anotherMillisecond();
    const late = await tenant.made(`${path}/burn`, { amount: 4 }, wallets.transaction);
    const versions = async (query: string) => {
      const page = await tenant.read(`${path}/transactions?${query}`, wallets.transactionPage);
      return page.data.map(({ version }) => version);
    };
    assert.deepEqual(await versions('kind=burn'), [5, 3, 2]);
    assert.deepEqual(await versions('reference=order%201'), [4, 2]);
    assert.deepEqual(await versions('kind=burn&reference=order%201'), [2]);
    assert.deepEqual(await versions('kind=hold'), []);
    assert.deepEqual(await versions(`from=${late.created_at}`), [5]);
    assert.deepEqual(await versions(`to=${late.created_at}`), [4, 3, 2, 1]);
    assert.deepEqual(await versions(`to=${late.created_at}&kind=earn`), [4, 1]);
    assert.deepEqual(await versions(`from=${late.created_at}&to=${late.created_at}`), []);
    const pages = await allPages((cursor) =>
      tenant.read(`${path}/transactions?kind=burn&limit=1${cursor}`, wallets.transactionPage),
    );
    assert.deepEqual(
      pages.flatMap(({ data }) => data.map(({ version }) => version)),
      [5, 3, 2],
    );
  });

  it('points at what is wrong with a query', async () => {
    const wallet = await tenant.wallet();
    const bad: readonly (readonly [string, string, string])[] = [
      ['transactions', 'kind=spend', '?kind'],
      ['transactions', 'from=yesterday', '?from'],
      ['transactions', 'to=2026-01-01', '?to'],
      ['transactions', 'from=0000-01-01T00:00:00Z', '?from'],
      ['transactions', 'to=9999-12-31T23:59:59-01:00', '?to'],
      ['transactions', `reference=${'a'.repeat(141)}`, '?reference'],
      ['transactions', 'version=1', '?version'],
      ['balance', 'as_of=0000-01-01T00:00:00Z', '?as_of'],
    ];
    for (const [path, query, pointer] of bad) {
      const problem = assertProblem(await tenant.get(`/v1/wallets/${wallet}/${path}?${query}`), 400, 'invalid_request');
      assert.equal(problem.errors?.[0]?.pointer, pointer);
    }
    for (const moment of ['0002-01-01T00:00:00%2B23:59', '9998-12-31T23:59:59.123456789123Z', '2026-01-01T00:00:00Z']) {
      parsed(await tenant.get(`/v1/wallets/${wallet}/balance?as_of=${moment}`), 200, wallets.walletBalance);
      parsed(
        await tenant.get(`/v1/wallets/${wallet}/transactions?from=${moment}&to=${moment}`),
        200,
        wallets.transactionPage,
      );
    }
  });
});
