/**
 * Four real processes of core on a ledger in two databases, two for each: what becomes of one database, or of a process of
 * it, does not touch the other's wallets; transfers between them finish or come back, whatever dies in between.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { assertProblem, eventually } from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';
import { compare, Fleet, Load, type Member } from './test/fleet.ts';
import { type DatabaseId, TwoDatabases } from './test/two-databases.ts';

/** A guard against hanging: longer than a takeover takes on any machine. */
const SETTLE_MS = 120_000;

/** Odd writers are the first database's, even ones the second's. */
const writers: Readonly<Record<DatabaseId, readonly number[]>> = { 1: [1, 3], 2: [2, 4] };

describe('processes of core on two databases', () => {
  const two = new TwoDatabases();
  const fleet = new Fleet(two.stack);
  let tenant: Tenant;
  const walletsOf: Record<DatabaseId, string[]> = { 1: [], 2: [] };

  const start = (writerId: number): Promise<Member> =>
    fleet.start(writerId, two.env(writers[1].includes(writerId) ? 1 : 2));

  before(async () => {
    await two.start();
    await two.place();
    for (const writerId of [1, 2, 3, 4]) await start(writerId);
    tenant = await Tenant.open(fleet.member(1).client);
    for (const id of [1, 2] as const) {
      for (let count = 0; count < 24; count++) walletsOf[id].push(await two.wallet(tenant, id));
    }
  });
  after(async () => {
    fleet.stop();
    await two.stop();
  });

  /** Each database's shards are shared by these writers of it, evenly, and by nobody else. */
  async function settles(databaseId: DatabaseId, ...writerIds: number[]): Promise<void> {
    const isSettled = async () => {
      const { members } = await fleet.overview();
      const owners = members.filter((each) => each.database_id === databaseId && each.shards > 0);
      const isEven = owners.every(({ shards }) => Math.abs(shards - 128 / writerIds.length) < 1);
      return isEven && owners.map(({ writer_id }) => writer_id).join() === writerIds.join();
    };
    await eventually(`${writerIds.join(', ')} share database ${databaseId}`, isSettled, SETTLE_MS);
  }

  /** Clients at work on wallets of this database while `act` happens; then its tables are compared with what they were told. */
  async function loaded(databaseId: DatabaseId, act: () => Promise<void>): Promise<Load> {
    const ids = [];
    for (let count = 0; count < 12; count++) ids.push(await two.wallet(tenant, databaseId));
    const load = new Load(fleet, tenant, ids, 8);
    await eventually('clients are at work', () => load.told.length > 50);
    await act();
    const before = load.told.length;
    await eventually('clients go on', () => load.told.length > before + 50);
    await compare(two.sql(databaseId), ids, await load.end());
    return load;
  }

  it('share each database’s shards among its own', async () => {
    await settles(1, 1, 3);
    await settles(2, 2, 4);
  });

  it('take over inside the first database while the second one is down, and its wallets never notice that', async () => {
    const load = await loaded(1, async () => {
      await two.second.stopImmediately();
      await unavailable(2);
      await fleet.kill(3);
      await settles(1, 1);
      await unavailable(2);
      await two.second.start();
    });
    console.log(`meanwhile: ${load.told.length} calls, longest ${Math.round(load.longestMs)} ms`);
    await loaded(2, async () => undefined);
    await start(3);
    await settles(1, 1, 3);
    assert.equal((await two.audit()).first, null);
  });

  it('go on with known wallets of the second database while the first one is down', async () => {
    const [id] = walletsOf[2] as [string];
    const member = fleet.member(2);
    const earn = () => member.client.post(`/v1/wallets/${id}/earn`, { amount: 1 }, { caller: tenant.caller });
    assert.equal((await earn()).status, 201);
    await two.first.stopImmediately();
    await eventually('the others have noticed', async () => (await refused(walletsOf[1][0] as string, 4)) !== null);
    for (let count = 0; count < 20; count++) assert.equal((await earn()).status, 201);
    assert.equal((await member.client.get('/readyz')).status, 200, 'it can serve');
    const { client } = fleet.member(1);
    await eventually('it is known which one cannot', async () => (await client.get('/readyz')).status === 503);
    await two.first.start();
    await eventually('the first database’s wallets work again', async () => {
      const target = `/v1/wallets/${walletsOf[1][0]}/earn`;
      return (await member.client.post(target, { amount: 1 }, { caller: tenant.caller })).status === 201;
    });
  });

  it('finish every transfer between the databases, though a process of each is killed in between', async () => {
    const ids = [
      await two.wallet(tenant, 1, 500),
      await two.wallet(tenant, 2, 500),
      await two.wallet(tenant, 1, 500),
      await two.wallet(tenant, 2, 500),
    ];
    let settled = 0;
    const transfers = Array.from({ length: 240 }, async (_, index) => {
      const [from, to] = [ids[index % 4], ids[(index + 1 + 2 * (index % 2)) % 4]];
      await settle({ from_wallet_id: from, to_wallet_id: to, amount: 1 + (index % 9) }, index);
      settled++;
    });
    await eventually('some are through', () => settled > 20);
    await Promise.all([fleet.kill(3), fleet.kill(4)]);
    await Promise.all(transfers);
    await settles(1, 1);
    await settles(2, 2);
    await eventually('nothing is open', async () => (await two.openTransfers()) === 0);
    const balances = await Promise.all(ids.map((id) => tenant.balance(id)));
    assert.equal(
      balances.reduce((sum, { balance }) => sum + balance, 0),
      2_000,
    );
    const { first, results } = await two.audit();
    assert.equal(first, null);
    assert.ok((results.find(({ rule }) => rule === 'transfers')?.looked ?? 0) > 240);
  });

  it('leave a transfer open whose other database is down, and finish it by themselves when it is back', async () => {
    const [from, to] = [await two.wallet(tenant, 1, 50), await two.wallet(tenant, 2)];
    await two.second.stopImmediately();
    const asked = { from_wallet_id: from, to_wallet_id: to, amount: 20 };
    const key = randomUUID();
    const answer = await fleet.member(1).client.post('/v1/transfers', asked, { caller: tenant.caller, key });
    assertProblem(answer, 503, 'unavailable');
    assert.equal((await tenant.balance(from)).balance, 30, 'the points are in transit');
    await two.second.start();
    await eventually('the sweep has finished it', async () => (await two.openTransfers()) === 0, 60_000);
    // Its process shows state only after a beat that the database has answered: that may be half a second later.
    const target = `/v1/wallets/${to}/balance`;
    await eventually('the balance is shown', async () => (await tenant.get(target)).status === 200);
    assert.equal((await tenant.balance(to)).balance, 20);
    assert.equal((await two.audit()).first, null);
  });

  /** The 503 of an earn of this wallet, by this process; null: it was posted. */
  async function refused(walletId: string, writerId: number): Promise<true | null> {
    const call = fleet.member(writerId).client;
    const answer = await call.post(`/v1/wallets/${walletId}/earn`, { amount: 1 }, { caller: tenant.caller });
    if (answer.status === 201) return null;
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
    return true;
  }

  /** Wallets of a database that is down are refused for now, whichever process is asked. */
  async function unavailable(databaseId: DatabaseId): Promise<void> {
    for (const writerId of fleet.live.keys()) {
      assert.ok(
        await refused(walletsOf[databaseId][0] as string, writerId),
        `process ${writerId} cannot have posted it`,
      );
    }
  }

  async function settle(asked: object, index: number): Promise<void> {
    const key = randomUUID();
    const endMs = performance.now() + SETTLE_MS;
    for (let attempt = 0; performance.now() < endMs; attempt++) {
      const members = [...fleet.live.values()];
      const member = members[(index + attempt) % members.length] as Member;
      const call = member.client.post('/v1/transfers', asked, { caller: tenant.caller, key });
      const answer = await call.catch(() => null);
      if (answer?.status === 201) return;
      if (answer?.status === 409) return void assertProblem(answer, 409, 'insufficient_funds');
      assert.ok(answer === null || answer.status === 503 || answer.status === 429, answer?.text);
      await pause(50);
    }
    assert.fail('it never settled');
  }
});
