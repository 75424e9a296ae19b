/** Reversals over HTTP on a real Postgres: whole, in parts, under each rule of the program. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { accountLimits } from '@local-plus/actors';
import { movements, wallets } from '@local-plus/contracts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { inLanes, Tenant } from '../test/tenant.ts';

describe('a reversal over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
  });
  after(() => stack.stop());

  const post = (of: Tenant, wallet: string, path: string, body: object) =>
    of.made(`/v1/wallets/${wallet}/${path}`, body, wallets.transaction);
  const reverse = (id: string, body: object = {}, key?: string) =>
    tenant.post(`/v1/transactions/${id}/reverse`, body, key);

  it('gives a burn back, in parts and then whole', async () => {
    const wallet = await tenant.wallet(100);
    const burn = await post(tenant, wallet, 'burn', { amount: 60 });
    const target = `/v1/transactions/${burn.id}/reverse`;
    const part = await tenant.made(target, { amount: 20, reason: 'one of three' }, wallets.transaction);
    assert.deepEqual(
      [part.kind, part.amount, part.balance_after, part.reversal_of, part.reference, part.metadata],
      ['reverse', 20, 60, burn.id, null, null],
    );
    const read = await tenant.read(`/v1/transactions/${part.id}`, wallets.transactionWithEntries);
    const original = await tenant.read(`/v1/transactions/${burn.id}`, wallets.transactionWithEntries);
    assert.equal(read.reversal_of, burn.id);
    assert.equal(read.entries[1]?.account_id, original.entries[1]?.account_id);
    const key = randomUUID();
    const tooMuch = await reverse(burn.id, { amount: 41 }, key);
    const { detail } = assertProblem(tooMuch, 409, 'reversal_exceeds_original');
    assert.equal(detail, 'The reversal asks for 41; less is left of the transaction.');
    const rest = await tenant.made(target, {}, wallets.transaction);
    assert.deepEqual([rest.amount, rest.balance_after, rest.reversal_of], [40, 100, burn.id]);
    const nothing = assertProblem(await reverse(burn.id), 409, 'reversal_exceeds_original');
    assert.equal(nothing.detail, 'Nothing is left of the transaction to reverse.');
    const again = await reverse(burn.id, { amount: 41 }, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [tooMuch.text, 'true']);
    const page = await tenant.history(wallet);
    assert.deepEqual(
      page.map(({ reversal_of }) => reversal_of),
      [null, null, burn.id, burn.id],
    );
  });

  it('is refused once so many transactions of the wallet are reversed as it remembers', async () => {
    const wallet = await tenant.wallet();
    const count = accountLimits.reversalsMax + 1;
    await inLanes(count, 64, async () => void (await post(tenant, wallet, 'earn', { amount: 1 })));
    const earns = (await tenant.history(wallet)).filter(({ kind }) => kind === 'earn');
    assert.equal(earns.length, count);
    const [last, ...others] = earns.map(({ id }) => id);
    await inLanes(others.length, 64, async (index) => {
      const answer = await reverse(others[index] ?? '');
      assert.equal(answer.status, 201, answer.text);
    });
    assertProblem(await reverse(last ?? ''), 409, 'reversals_limit_exceeded');
    assert.equal((await tenant.balance(wallet)).balance, 1);
  });

  it('is refused for what cannot be reversed, or is not there', async () => {
    const wallet = await tenant.wallet(100);
    const hold = await tenant.made(`/v1/wallets/${wallet}/holds`, { amount: 1 }, movements.hold);
    const release = await tenant.made(`/v1/holds/${hold.id}/release`, {}, wallets.transaction);
    const body = { from_wallet_id: wallet, to_wallet_id: await tenant.wallet(), amount: 1 };
    const transfer = await tenant.made('/v1/transfers', body, movements.transfer);
    const freeze = await post(tenant, wallet, 'freeze', { reason: 'r' });
    await post(tenant, wallet, 'unfreeze', { reason: 'r' });
    const burn = await post(tenant, wallet, 'burn', { amount: 1 });
    const reversal = await tenant.made(`/v1/transactions/${burn.id}/reverse`, {}, wallets.transaction);
    const before = await tenant.balance(wallet);
    for (const { id } of [hold, release, transfer, freeze, reversal]) {
      assertProblem(await reverse(id), 409, 'not_reversible');
    }
    for (const id of [randomUUID(), wallet, 'x']) assertProblem(await reverse(id), 404, 'not_found');
    assert.equal((await tenant.balance(wallet)).version, before.version);
  });

  it('of an earn whose points are spent is refused, unless the program says otherwise', async () => {
    const wallet = await tenant.wallet();
    const earn = await post(tenant, wallet, 'earn', { amount: 100 });
    await post(tenant, wallet, 'burn', { amount: 80 });
    const { detail } = assertProblem(await reverse(earn.id), 409, 'insufficient_funds');
    assert.equal(detail, 'Available is 20; the reversal asks for more.');
    const some = assertProblem(await reverse(earn.id, { amount: 21 }), 409, 'insufficient_funds');
    assert.equal(some.detail, 'Available is 20; the reversal asks for 21.');
    const rest = await tenant.made(`/v1/transactions/${earn.id}/reverse`, { amount: 20 }, wallets.transaction);
    assert.equal(rest.balance_after, 0);
  });

  it('brings the balance below zero, to the limit of the program', async () => {
    const lending = await tenant.sibling({ reversal_policy: { type: 'negative', limit: 50 } });
    const wallet = await lending.wallet();
    const earn = await post(lending, wallet, 'earn', { amount: 100 });
    await post(lending, wallet, 'burn', { amount: 80 });
    assertProblem(await reverse(earn.id, { amount: 71 }), 409, 'insufficient_funds');
    const taken = await lending.made(`/v1/transactions/${earn.id}/reverse`, { amount: 70 }, wallets.transaction);
    assert.equal(taken.balance_after, -50);
    const { balance, held, available } = await lending.balance(wallet);
    assert.deepEqual([balance, held, available], [-50, 0, -50]);
    const refused = assertProblem(
      await lending.post(`/v1/wallets/${wallet}/burn`, { amount: 1 }),
      409,
      'insufficient_funds',
    );
    assert.equal(refused.detail, 'Available is -50; the burn asks for 1.');
    assert.equal((await lending.read(`/v1/wallets/${wallet}`, wallets.wallet)).available, -50);
  });

  it('takes what is there, and the rest from later earns, where the program says so', async () => {
    const recovering = await tenant.sibling({ reversal_policy: { type: 'recover' } });
    const wallet = await recovering.wallet();
    const earn = await post(recovering, wallet, 'earn', { amount: 100 });
    await post(recovering, wallet, 'burn', { amount: 80 });
    const taken = await recovering.made(`/v1/transactions/${earn.id}/reverse`, {}, wallets.transaction);
    assert.deepEqual([taken.amount, taken.balance_after], [100, 0]);
    const back = await post(recovering, wallet, 'earn', { amount: 50 });
    assert.deepEqual([back.amount, back.balance_after], [50, 0]);
    const shown = await recovering.read(`/v1/transactions/${back.id}`, wallets.transactionWithEntries);
    assert.deepEqual(shown.entries, []);
    assert.equal((await post(recovering, wallet, 'earn', { amount: 50 })).balance_after, 20);
  });
});
