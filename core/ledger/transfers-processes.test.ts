/**
 * Transfers over HTTP between wallets of two processes of core, on a real Postgres: the client sees what it sees of one
 * process, whichever it asks.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { movements, shards, wallets } from '@local-plus/contracts';
import type postgres from 'postgres';
import type { App } from '../app.ts';
import { auditLedger, openAuditDatabase } from '../proof/index.ts';
import { quiet } from '../test/log.ts';
import { type Answer, assertProblem, eventually, patiently, type SignedClient, TestStack } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';

describe('a transfer between wallets of two processes', () => {
  const stack = new TestStack();
  const clients: SignedClient[] = [];
  let sql: postgres.Sql;
  let second: App;
  let tenant: Tenant;
  let body: { from_wallet_id: string; to_wallet_id: string; amount: number; reference: string };
  let key: string;
  let first: Answer;

  before(async () => {
    clients.push((await stack.serve({ WRITER_ID: '1' })).client);
    sql = stack.sql();
    const joined = await stack.startCore({ WRITER_ID: '2' });
    clients.push(joined.client);
    second = joined.app;
    await eventually('the shards are shared', async () => (await counts()).every((count) => count === 128));
    tenant = await Tenant.open(clients[0] as SignedClient);
  });
  after(() => stack.stop());

  async function counts(): Promise<number[]> {
    const rows = await sql<{ count: number }[]>`select count(*)::int as count from shards group by writer_id`;
    return rows.length === 2 ? rows.map(({ count }) => count) : [0];
  }

  /** A wallet that this writer serves. */
  async function walletOf(writerId: number, points = 0): Promise<string> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const id = await tenant.wallet();
      const [row] = await sql`select writer_id from shards where id = ${shards.shardOf(id as never)}`;
      if (row?.['writer_id'] !== writerId) continue;
      if (points > 0) await tenant.made(`/v1/wallets/${id}/earn`, { amount: points }, wallets.transaction);
      return id;
    }
    return assert.fail('no wallet is of that writer');
  }

  function send(client: number, asked: object, withKey: string = randomUUID()): Promise<Answer> {
    return (clients[client] as SignedClient).post('/v1/transfers', asked, { caller: tenant.caller, key: withKey });
  }

  const openCount = async () => (await sql`select count(*)::int as count from open_transfers`)[0]?.['count'];

  it('has the body of any other, the same from each process, and says what went over transit', async () => {
    body = { from_wallet_id: await walletOf(1, 100), to_wallet_id: await walletOf(2), amount: 30, reference: 'gift' };
    key = randomUUID();
    first = await send(1, body, key);
    const { id, created_at, ...rest } = parsed(first, 201, movements.transfer);
    assert.deepEqual(rest, { ...body, unit: 'PTS', metadata: null });
    for (const client of [0, 1]) {
      const again = await send(client, body, key);
      assert.deepEqual([again.status, again.text], [201, first.text]);
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      assertProblem(await send(client, { ...body, amount: 31 }, key), 422, 'idempotency_key_reused');
    }
    const out = await tenant.read(`/v1/transactions/${id}`, wallets.transactionWithEntries);
    assert.deepEqual([out.kind, out.balance_after, out.created_at], ['transfer_out', 70, created_at]);
    const [arrived] = await tenant.history(body.to_wallet_id);
    assert.deepEqual([arrived?.kind, arrived?.amount, arrived?.reference], ['transfer_in', 30, 'gift']);
    const [row] = await sql`select detail ->> 'across' as across from transactions where kind = 'transfer_out'`;
    assert.equal(row?.['across'], 'true', 'it went in two steps');
    await eventually('it is closed', async () => (await openCount()) === 0);
  });

  it('that the other wallet refuses is refused, for good, and the points are back', async () => {
    const [from, to] = [await walletOf(2, 50), await walletOf(1)];
    await tenant.made(`/v1/wallets/${to}/freeze`, { reason: 'lost' }, wallets.transaction);
    const asked = { from_wallet_id: from, to_wallet_id: to, amount: 20 };
    const refusedKey = randomUUID();
    const refusal = await send(0, asked, refusedKey);
    const problem = assertProblem(refusal, 409, 'account_frozen');
    assert.equal(problem.detail, 'The receiving account is frozen; it takes no transfer.');
    const again = await send(1, asked, refusedKey);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [refusal.text, 'true']);
    const kinds = (await tenant.history(from)).map(({ kind, balance_after }) => `${kind} ${balance_after}`);
    assert.deepEqual(kinds, ['earn 50', 'transfer_out 30', 'reverse 50']);
    const departure = (await tenant.history(from))[1];
    const reversed = await tenant.post(`/v1/transactions/${departure?.id}/reverse`, {});
    assertProblem(reversed, 409, 'not_reversible');
  });

  it('I1: hundreds at once in opposite directions, while a process leaves, lose nothing', async () => {
    const ids = [await walletOf(1, 500), await walletOf(2, 500), await walletOf(1, 500), await walletOf(2, 500)];
    let stopping: Promise<void> | null = null;
    await inLanes(400, 32, async (index) => {
      if (index === 150) stopping = second.stop();
      const [from, to] = [ids[index % 4], ids[(index + 1 + 2 * (index % 2)) % 4]];
      const asked = { from_wallet_id: from, to_wallet_id: to, amount: 1 + (index % 23) };
      const withKey = randomUUID();
      const answer = await patiently(
        () => send(0, asked, withKey),
        ({ status }) => status !== 503 && status !== 429,
      );
      if (answer.status !== 201) assertProblem(answer, 409, 'insufficient_funds');
    });
    await stopping;
    const balances = await Promise.all(ids.map((id) => tenant.balance(id)));
    assert.equal(
      balances.reduce((sum, { balance }) => sum + balance, 0),
      2_000,
    );
    await eventually('nothing is open', async () => (await openCount()) === 0);
    const database = openAuditDatabase({ url: stack.postgres.url, connectMs: 2_000, log: quiet });
    const { first: wrong, results } = await auditLedger({ database });
    await database.close(1_000);
    assert.equal(wrong, null);
    assert.ok((results.find(({ rule }) => rule === 'transfers')?.looked ?? 0) > 400);
  });

  it('is replayed as it was by the process that has both wallets now', async () => {
    const again = await send(0, body, key);
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.deepEqual((await tenant.balance(body.to_wallet_id)).version, 1);
  });
});
