/**
 * A ledger in two databases on two real Postgres servers, a process of core for each: the client sees what it sees of one,
 * whichever process it asks; the rows are disjoint; the audit reads both.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { bulk, movements, wallets } from '@local-plus/contracts';
import { auditLedger, MissingDatabase } from '../proof/index.ts';
import { databaseOf, TwoDatabases } from '../shards/test/two-databases.ts';
import { type Answer, assertProblem, eventually, type SignedClient } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';

describe('a ledger in two databases', () => {
  const two = new TwoDatabases();
  const clients: SignedClient[] = [];
  let tenant: Tenant;

  before(async () => {
    await two.start();
    await two.place();
    for (const id of [1, 2] as const) {
      const { client } = await two.stack.startCore({ ...two.env(id), WRITER_ID: String(id) });
      clients.push(client);
    }
    tenant = await Tenant.open(clients[0] as SignedClient);
  });
  after(() => two.stop());

  /** By one process and by the other: they agree. */
  async function bothGet(target: string): Promise<Answer> {
    const [one, other] = await Promise.all(clients.map((client) => client.get(target, { caller: tenant.caller })));
    assert.deepEqual([one?.status, one?.text], [other?.status, other?.text], target);
    return one as Answer;
  }

  function send(process: number, target: string, body: object, key: string = randomUUID()): Promise<Answer> {
    return (clients[process] as SignedClient).post(target, body, { caller: tenant.caller, key });
  }

  /** What each database has of these wallets: rows. */
  async function rowsOf(ids: readonly string[]): Promise<number[]> {
    return Promise.all(
      ([1, 2] as const).map(async (id) => {
        const [row] = await two.sql(id)`
          select count(*)::int as count from transactions where account_id = any(${[...ids]}::uuid[])`;
        return Number(row?.['count']);
      }),
    );
  }

  it('has each wallet’s rows in the database of its shard, whichever process was asked', async () => {
    const ids: string[] = [];
    await inLanes(24, 8, async (index) => {
      const id = await tenant.wallet();
      parsed(await send(index % 2, `/v1/wallets/${id}/earn`, { amount: 5 }), 201, wallets.transaction);
      parsed(await send((index + 1) % 2, `/v1/wallets/${id}/burn`, { amount: 2 }), 201, wallets.transaction);
      ids.push(id);
    });
    const of = (id: 1 | 2) => ids.filter((each) => databaseOf(each) === id);
    assert.ok(of(1).length > 0 && of(2).length > 0, 'the wallets are of both');
    assert.deepEqual(await rowsOf(of(1)), [2 * of(1).length, 0]);
    assert.deepEqual(await rowsOf(of(2)), [0, 2 * of(2).length]);
    for (const id of ids) assert.equal((await tenant.balance(id)).balance, 3);
  });

  it('tells balance, history, a past moment and a transaction by either process', async () => {
    for (const databaseId of [1, 2] as const) {
      const id = await two.wallet(tenant, databaseId, 40);
      const burned = parsed(await send(0, `/v1/wallets/${id}/burn`, { amount: 15 }), 201, wallets.transaction);
      const history = parsed(await bothGet(`/v1/wallets/${id}/transactions?kind=burn`), 200, wallets.transactionPage);
      assert.deepEqual(
        history.data.map(({ id: each }) => each),
        [burned.id],
      );
      const then = await bothGet(`/v1/wallets/${id}/balance?as_of=${burned.created_at}`);
      assert.equal(parsed(then, 200, wallets.walletBalance).balance, 25);
      const one = parsed(await bothGet(`/v1/transactions/${burned.id}`), 200, wallets.transactionWithEntries);
      assert.equal(one.balance_after, 25);
    }
    for (const client of clients) {
      const strange = await client.get(`/v1/transactions/${randomUUID().replace(/^(.{14})./, '$17')}`, {
        caller: tenant.caller,
      });
      assertProblem(strange, 404, 'not_found');
    }
  });

  it('holds, captures, releases and reverses by either process', async () => {
    for (const [process, databaseId] of [
      [0, 2],
      [1, 1],
    ] as const) {
      const id = await two.wallet(tenant, databaseId, 100);
      const hold = parsed(await send(process, `/v1/wallets/${id}/holds`, { amount: 60 }), 201, movements.hold);
      const captured = await send(process, `/v1/holds/${hold.id}/capture`, { amount: 20, final: false });
      parsed(captured, 201, wallets.transaction);
      parsed(await bothGet(`/v1/holds/${hold.id}`), 200, movements.hold);
      parsed(await send(process, `/v1/holds/${hold.id}/release`, {}), 201, wallets.transaction);
      const capture = (captured.json as { id: string }).id;
      parsed(await send(process, `/v1/transactions/${capture}/reverse`, { amount: 5 }), 201, wallets.transaction);
      const { balance, held } = await tenant.balance(id);
      assert.deepEqual([balance, held], [85, 0]);
    }
  });

  it('answers a bulk of both, and its replay with the outcome of every line', async () => {
    const ids = [await two.wallet(tenant, 1), await two.wallet(tenant, 2)];
    const line = (id: string | undefined, more: object) => ({ wallet_id: id, kind: 'earn', amount: 3, ...more });
    const lines = [
      line(ids[0], { idempotency_key: 'a' }),
      line(ids[1], { idempotency_key: 'b', group: 'g' }),
      line(ids[1], { idempotency_key: 'c', group: 'g' }),
    ];
    const body = lines.map((each) => JSON.stringify(each)).join('\n');
    const ask = async (process: number) => {
      const headers = { 'content-type': 'application/x-ndjson' };
      const answer = await (clients[process] as SignedClient).post('/v1/transactions/bulk', body, {
        caller: tenant.caller,
        headers,
      });
      assert.equal(answer.status, 200, answer.text);
      return answer.text
        .trimEnd()
        .split('\n')
        .map((each) => bulk.outcome.parse(JSON.parse(each)));
    };
    const first = await ask(0);
    assert.deepEqual(
      first.map(({ status }) => status),
      [201, 201, 201],
    );
    for (const process of [0, 1]) {
      const again = await ask(process);
      assert.ok(again.every(({ replayed }) => replayed));
      assert.deepEqual(
        again.map(({ transaction }) => transaction?.id),
        first.map(({ transaction }) => transaction?.id),
      );
    }
  });

  it('transfers from one to the other, both ways, and back when the other wallet refuses', async () => {
    const one = await two.wallet(tenant, 1, 100);
    const other = await two.wallet(tenant, 2, 100);
    for (const [index, [from, to]] of [
      [one, other],
      [other, one],
    ].entries()) {
      const asked = { from_wallet_id: from, to_wallet_id: to, amount: 30 - 10 * index };
      const key = randomUUID();
      const first = await send(index, '/v1/transfers', asked, key);
      parsed(first, 201, movements.transfer);
      assert.equal((await send(1 - index, '/v1/transfers', asked, key)).text, first.text);
    }
    assert.deepEqual([(await tenant.balance(one)).balance, (await tenant.balance(other)).balance], [90, 110]);
    parsed(await send(0, `/v1/wallets/${other}/freeze`, { reason: 'lost' }), 201, wallets.transaction);
    const refused = await send(1, '/v1/transfers', { from_wallet_id: one, to_wallet_id: other, amount: 5 });
    assertProblem(refused, 409, 'account_frozen');
    assert.equal((await tenant.balance(one)).balance, 90, 'the points are back');
    await eventually('nothing is open', async () => (await two.openTransfers()) === 0);
  });

  it('I1: hundreds of transfers at once leave nothing in transit, over both databases', async () => {
    const ids = await Promise.all(([1, 2, 1, 2] as const).map((id) => two.wallet(tenant, id, 500)));
    await inLanes(300, 32, async (index) => {
      const [from, to] = [ids[index % 4], ids[(index + 1 + 2 * (index % 2)) % 4]];
      const asked = { from_wallet_id: from, to_wallet_id: to, amount: 1 + (index % 23) };
      const answer = await send(index % 2, '/v1/transfers', asked);
      if (answer.status !== 201) assertProblem(answer, 409, 'insufficient_funds');
    });
    const balances = await Promise.all(ids.map((id) => tenant.balance(id)));
    assert.equal(
      balances.reduce((sum, { balance }) => sum + balance, 0),
      2_000,
    );
    await eventually('nothing is open', async () => (await two.openTransfers()) === 0);
    const { first, results } = await two.audit();
    assert.equal(first, null);
    const looked = new Map(results.map(({ rule, looked: count }) => [rule, count]));
    assert.ok((looked.get('transfers') ?? 0) > 300 && (looked.get('places') ?? 0) > 300);
  });

  describe('the audit', () => {
    /** What it finds after something was done to a database; then it is undone. */
    async function found(databaseId: 1 | 2, damage: string, mend: string) {
      const sql = two.sql(databaseId);
      // What is away when it is summed would be missing from the sums for ever.
      await eventually('all rows are summed', async () => (await two.unsummed()) === 0);
      await sql.unsafe(damage);
      try {
        const { first } = await two.audit();
        assert.ok(first, 'something is wrong');
        return first;
      } finally {
        await sql.unsafe(mend);
        assert.equal((await two.audit()).first, null, 'it was mended');
      }
    }

    it('finds a changed amount in the second database', async () => {
      const id = await two.wallet(tenant, 2, 10);
      const row = `where account_id = '${id}' and version = 1`;
      const first = await found(
        2,
        `update transactions set balance_after = 11 ${row}`,
        `update transactions set balance_after = 10 ${row}`,
      );
      assert.deepEqual([first.rule, first.place], ['balances', { accountId: id, version: 1 }]);
    });

    it('finds a transfer whose other half is missing from the other database', async () => {
      const [from, to] = [await two.wallet(tenant, 1, 10), await two.wallet(tenant, 2)];
      parsed(
        await send(0, '/v1/transfers', { from_wallet_id: from, to_wallet_id: to, amount: 4 }),
        201,
        movements.transfer,
      );
      await eventually('it is closed', async () => (await two.openTransfers()) === 0);
      const row = `where account_id = '${to}'`;
      const first = await found(
        2,
        `create table away as select * from transactions ${row}; delete from transactions ${row}`,
        'insert into transactions select * from away; drop table away',
      );
      assert.deepEqual([first.rule, first.place], ['transfers', { accountId: from, version: 2 }]);
    });

    it('finds an account, and the owner of a shard, in a database that is not its own', async () => {
      const id = await two.wallet(tenant, 1, 10);
      const [stray] = await two.sql(
        1,
      )`select row_to_json(t)::text as text from transactions as t where account_id = ${id}`;
      const text = String(stray?.['text']).replaceAll("'", "''");
      const first = await found(
        2,
        `insert into transactions select * from json_populate_record(null::transactions, '${text}')`,
        `delete from transactions where account_id = '${id}'`,
      );
      assert.deepEqual([first.rule, first.place.accountId, first.found], ['places', id, '2']);
      const shard = await found(
        2,
        'insert into shards (id, writer_id) values (0, 2)',
        'delete from shards where id = 0',
      );
      assert.equal(shard.rule, 'places');
    });

    it('is not misled by transfers that happen between its looks at the two', async () => {
      const [one, other] = [await two.wallet(tenant, 1, 50), await two.wallet(tenant, 2, 50)];
      const [database, second] = [two.pool(1), two.pool(2)];
      let moved = 0;
      const move = async (from: string, to: string) => {
        const asked = { from_wallet_id: from, to_wallet_id: to, amount: 7 };
        parsed(await send(0, '/v1/transfers', asked), 201, movements.transfer);
        moved++;
      };
      const late: typeof second.read = async (statement, parameters) => {
        // The cut of the second comes after that of the first.
        if (statement.includes('newest(seq)')) {
          await move(one, other);
          await move(other, one);
        }
        return second.read(statement, parameters);
      };
      const { first, results } = await auditLedger({ database, further: new Map([[2, { read: late }]]) });
      assert.deepEqual([first, moved], [null, 2]);
      assert.ok(results.some(({ rule, looked }) => rule === 'transfers' && looked > 0));
      await Promise.all([database.close(1_000), second.close(1_000)]);
    });

    it('does not take one database for the ledger', async () => {
      const database = two.pool(1);
      await assert.rejects(auditLedger({ database }), MissingDatabase);
      await database.close(1_000);
    });
  });

  it('shows the operator what is whose, and where, and drains a process of the other database', async () => {
    const caller = { subject: 'operator', scopes: ['admin'] as const };
    const overview = async () => {
      const { json } = await (clients[0] as SignedClient).get('/v1/admin/shards', { caller });
      return json as {
        members: { writer_id: number; database_id: number; state: string; shards: number }[];
        shards: { id: number; database_id: number }[];
      };
    };
    // Of the other database it knows what it saw half a second ago, or longer where the machine stood still.
    let seen = await overview();
    await eventually('both are seen', async () => {
      seen = await overview();
      return seen.members.every(({ state }) => state !== 'silent');
    });
    const { members, shards } = seen;
    assert.deepEqual(
      members.map(({ writer_id, database_id, state, shards: count }) => [writer_id, database_id, state, count]),
      [
        [1, 1, 'serving', 128],
        [2, 2, 'serving', 128],
      ],
    );
    assert.ok(shards.length === 256 && shards.every(({ id, database_id }) => database_id === 1 + (id % 2)));
    const wish = (writer_id: number, drain: boolean) =>
      (clients[0] as SignedClient).post('/v1/admin/shards/drain', { writer_id, drain }, { caller });
    assert.equal((await wish(2, true)).status, 200);
    const [row] = await two.sql(2)`select drain_wanted from members where writer_id = 2`;
    assert.equal(row?.['drain_wanted'], true);
    await wish(2, false);
    assertProblem(await wish(77, true), 404, 'not_found');
  });
});
