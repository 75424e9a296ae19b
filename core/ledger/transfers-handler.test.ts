/** Transfers over HTTP on a real Postgres: both wallets or none, once, and nothing lost between them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { limits, movements, wallets } from '@local-plus/contracts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';

describe('a transfer over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
  });
  after(() => stack.stop());

  const send = (from: string, to: string, amount: number, key?: string) =>
    tenant.post('/v1/transfers', { from_wallet_id: from, to_wallet_id: to, amount }, key);

  it('takes from one wallet and gives to the other', async () => {
    const [from, to] = [await tenant.wallet(100), await tenant.wallet(5)];
    const body = { from_wallet_id: from, to_wallet_id: to, amount: 30, reference: 'gift', metadata: { note: 'hi' } };
    const { id, created_at, ...rest } = await tenant.made('/v1/transfers', body, movements.transfer);
    assert.deepEqual(rest, { ...body, unit: 'PTS' });
    const out = await tenant.read(`/v1/transactions/${id}`, wallets.transactionWithEntries);
    const arrived = (await tenant.history(to)).at(-1);
    assert.deepEqual(
      [out.wallet_id, out.kind, out.amount, out.balance_after, out.reference, out.created_at],
      [from, 'transfer_out', 30, 70, 'gift', created_at],
    );
    assert.deepEqual(
      [arrived?.wallet_id, arrived?.kind, arrived?.amount, arrived?.balance_after, arrived?.reference],
      [to, 'transfer_in', 30, 35, 'gift'],
    );
    const { entries } = await tenant.read(`/v1/transactions/${arrived?.id}`, wallets.transactionWithEntries);
    // Between the two stands the program's transit account: over both transactions it nets to nothing.
    assert.equal(out.entries[1]?.account_id, entries[1]?.account_id);
    const sum = [...out.entries, ...entries].filter((entry) => entry.account_id === entries[1]?.account_id);
    assert.deepEqual(
      sum.map(({ amount }) => amount),
      [30, -30],
    );
  });

  it('is refused whole, by either wallet, and stays refused', async () => {
    const [from, to] = [await tenant.wallet(100), await tenant.wallet(5)];
    const frozen = await tenant.wallet(1);
    await tenant.made(`/v1/wallets/${frozen}/freeze`, { reason: 'r' }, wallets.transaction);
    const full = await fullWallet();
    const bounds = (whose: string) =>
      `The ${whose}balance is 9007199254740991; with 100 more it would leave its bounds.`;
    const earned = await tenant.post(`/v1/wallets/${full}/earn`, { amount: 100 });
    assert.equal(assertProblem(earned, 409, 'balance_limit_exceeded').detail, bounds(''));
    const refusals = [
      [from, to, 101, 'insufficient_funds', 'Available is 100; the transfer asks for 101.'],
      [from, frozen, 10, 'account_frozen', 'The receiving account is frozen; it takes no transfer.'],
      [frozen, to, 1, 'account_frozen', 'The account is frozen; it takes no transfer.'],
      [from, full, 100, 'balance_limit_exceeded', bounds('receiving ')],
    ] as const;
    for (const [source, target, amount, code, detail] of refusals) {
      const before = [await tenant.balance(source), await tenant.balance(target)];
      const key = randomUUID();
      const first = await send(source, target, amount, key);
      assert.equal(assertProblem(first, 409, code).detail, detail);
      const after = [await tenant.balance(source), await tenant.balance(target)];
      assert.deepEqual(after.map(withoutTime), before.map(withoutTime));
      const again = await send(source, target, amount, key);
      assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
      assertProblem(await send(source, target, amount - 1 || 2, key), 422, 'idempotency_key_reused');
    }
  });

  it('stays within a program, a tenant, and between two wallets', async () => {
    const [from, to] = [await tenant.wallet(100), await tenant.wallet()];
    const sibling = await tenant.sibling();
    assertProblem(await send(from, await sibling.wallet(), 1), 409, 'program_mismatch');
    const same = assertProblem(await send(from, from, 1), 400, 'invalid_request');
    assert.equal(same.errors?.[0]?.pointer, '/to_wallet_id');
    const stranger = await Tenant.open(tenant.client);
    const theirs = await stranger.wallet(100);
    for (const [source, target] of [
      [from, theirs],
      [theirs, to],
      [from, randomUUID()],
      [randomUUID(), to],
    ] as const) {
      assertProblem(await send(source, target, 1), 404, 'not_found');
    }
    assert.deepEqual(
      [
        (await tenant.balance(from)).version,
        (await tenant.balance(to)).version,
        (await stranger.balance(theirs)).version,
      ],
      [1, 0, 1],
    );
  });

  it('I1: many at once, in opposite directions, lose nothing', async () => {
    const ids = [await tenant.wallet(300), await tenant.wallet(300), await tenant.wallet(300)] as const;
    const moved = [0, 0, 0];
    await inLanes(900, 64, async (index) => {
      const [source, target] = [index % 3, (index + 1 + (index % 2)) % 3];
      const amount = 1 + (index % 97);
      const answer = await send(ids[source] as string, ids[target] as string, amount);
      if (answer.status !== 201) {
        assertProblem(answer, 409, 'insufficient_funds');
        return;
      }
      parsed(answer, 201, movements.transfer);
      moved[source] = (moved[source] ?? 0) - amount;
      moved[target] = (moved[target] ?? 0) + amount;
    });
    const balances = await Promise.all(ids.map((id) => tenant.balance(id)));
    assert.deepEqual(
      balances.map(({ balance }) => balance),
      moved.map((change) => 300 + change),
    );
    assert.equal(
      balances.reduce((sum, { balance }) => sum + balance, 0),
      900,
    );
    const histories = await Promise.all(ids.map((id) => tenant.history(id)));
    const count = (kind: string) => histories.flat().filter((row) => row.kind === kind).length;
    assert.ok(count('transfer_out') > 0 && count('transfer_out') === count('transfer_in'));
    for (const history of histories) {
      for (const [index, row] of history.entries()) assert.ok(row.version === index + 1 && row.balance_after >= 0);
    }
  });

  it('is one, when both wallets use one key', async () => {
    const [left, right] = [await tenant.wallet(10), await tenant.wallet(10)];
    const key = randomUUID();
    const answers = await Promise.all([send(left, right, 3, key), send(right, left, 4, key)]);
    for (const answer of answers) assert.equal(parsed(answer, 201, movements.transfer).unit, 'PTS');
    assert.deepEqual([(await tenant.balance(left)).balance, (await tenant.balance(right)).balance], [11, 9]);
  });

  /** A wallet at its upper bound, which no test can earn its way to: its first row says that it is there. */
  async function fullWallet(): Promise<string> {
    const wallet = await tenant.wallet();
    const sql = stack.sql();
    await sql`insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after,
        occurred_at, contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
      values (${wallet}, 1, 1, 1, ${limits.balanceMax}, ${limits.balanceMax}, 0, now(), ${randomUUID()},
        ${tenant.programId}, ${randomUUID()}, 'adjust', '', 'a key')`;
    return wallet;
  }
});

function withoutTime({ as_of: _, ...rest }: wallets.WalletBalance) {
  return rest;
}
