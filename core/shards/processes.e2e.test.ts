/**
 * Real processes of core that join, leave, die and come back, under clients that move points all the while. Afterwards the
 * tables hold exactly what was answered: nothing lost or doubled (I3), versions dense and balances right (I2), nothing
 * written by who was superseded (I7).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type postgres from 'postgres';
import { eventually, operator, TestStack } from '../test/stack.ts';
import { compare, Fleet, Load, newWallets } from './test/fleet.ts';

describe('several processes of core', () => {
  const stack = new TestStack();
  const fleet = new Fleet(stack);
  let sql: postgres.Sql;

  before(async () => {
    await stack.startPostgres();
    sql = stack.sql(2);
    await fleet.start(1);
  });
  after(async () => {
    fleet.stop();
    await stack.stop();
  });

  const underLoad = (what: string, act: () => Promise<void>): Promise<Load> => loaded(fleet, sql, what, act);

  it('share the shards evenly once they have joined, and everybody answers for all', async () => {
    const load = await underLoad('join', async () => {
      await Promise.all([fleet.start(2), fleet.start(3)]);
      await fleet.settlesOn(1, 2, 3);
    });
    assert.deepEqual(Object.values(await fleet.shares()).sort(), [85, 85, 86]);
    assert.deepEqual([...load.troubles], [], 'no try failed');
    for (const writerId of [1, 2, 3]) assert.ok((await fleet.metric(writerId, 'shards_forwarded_total')) > 0);
  });

  it('hand over at a SIGTERM, and take their share again: no try fails', async () => {
    const load = await underLoad('rolling restart', async () => {
      for (const writerId of [3, 2, 1]) {
        await fleet.terminate(writerId);
        await fleet.settlesOn(...[1, 2, 3].filter((each) => each !== writerId));
        await fleet.start(writerId);
        await fleet.settlesOn(1, 2, 3);
      }
    });
    // A call on a connection that a stopping process closes has to be repeated; nothing else has.
    assert.deepEqual(
      [...load.troubles.keys()].filter((what) => what !== 'no answer'),
      [],
    );
  });

  it('take over from one that is killed', async () => {
    await underLoad('SIGKILL', async () => {
      await fleet.kill(2);
      await fleet.settlesOn(1, 3);
      assert.ok(
        (await fleet.metric(1, 'shards_taken_over_total')) + (await fleet.metric(3, 'shards_taken_over_total')) > 0,
      );
    });
    await fleet.start(2);
    await fleet.settlesOn(1, 2, 3);
  });

  it('I7: one that was stopped past its replacement writes nothing when it goes on, shows nothing old, and ends', async () => {
    const zombie = fleet.member(3);
    const epochBefore = (await fleet.overview()).members.find(({ writer_id }) => writer_id === 3)?.epoch ?? 0;
    const [member] = fleet.live.values();
    assert.ok(member);
    const { tenant, walletIds } = await newWallets(member, 60);
    const load = new Load(fleet, tenant, walletIds, 16);
    await eventually('clients are at work', () => load.told.length > 200);
    fleet.live.delete(3);
    zombie.child.kill('SIGSTOP');
    await fleet.settlesOn(1, 2);
    const taken = (await fleet.overview()).members.find(({ writer_id }) => writer_id === 3);
    assert.ok((taken?.epoch ?? 0) > epochBefore, 'its epoch was raised');
    const [frozenAt] = await sql`select batch from writers where id = 3`;
    const newest = await sql<{ account_id: string; version: number }[]>`
      select account_id, max(version)::int as version from transactions
      where account_id = any(${walletIds}::uuid[]) group by account_id`;
    zombie.child.kill('SIGCONT');
    const shown = await Promise.all(
      newest.map(({ account_id }) =>
        zombie.client.get(`/v1/wallets/${account_id}/balance`, { caller: tenant.caller }).catch(() => null),
      ),
    );
    for (const [index, answer] of shown.entries()) {
      if (answer?.status !== 200) continue;
      const { version } = answer.json as { version: number };
      assert.ok(version >= (newest[index]?.version ?? 0), 'not older than what was there when it went on');
    }
    assert.equal((await zombie.exited).code, 1, zombie.output());
    const told = await load.end();
    assert.deepEqual([...(await sql`select batch from writers where id = 3`)], [frozenAt], 'it wrote nothing more');
    await compare(sql, walletIds, told);
    await fleet.start(3);
    await fleet.settlesOn(1, 2, 3);
  });

  it('give everything away when the operator asks for it, and take their share again', async () => {
    const wish = (drain: boolean) =>
      fleet.member(1).client.post('/v1/admin/shards/drain', { writer_id: 2, drain }, { caller: operator });
    await underLoad('drain by the operator', async () => {
      assert.equal((await wish(true)).status, 200);
      await fleet.settlesOn(1, 3);
      const drained = (await fleet.overview()).members.find(({ writer_id }) => writer_id === 2);
      assert.deepEqual([drained?.state, drained?.shards], ['draining', 0]);
      assert.equal((await fleet.member(2).client.get('/readyz')).status, 200);
      assert.equal((await wish(false)).status, 200);
      await fleet.settlesOn(1, 2, 3);
    });
  });

  it('stop all at once, and whoever starts first has everything', async () => {
    await Promise.all([1, 2, 3].map((writerId) => fleet.terminate(writerId)));
    await fleet.start(2);
    await fleet.settlesOn(2);
    await underLoad('alone', () => pause(100));
  });
});

describe('a process of core that is killed and back before anybody misses it', () => {
  const stack = new TestStack();
  const fleet = new Fleet(stack, { MEMBER_DEAD_MS: '60000' });
  let sql: postgres.Sql;

  before(async () => {
    await stack.startPostgres();
    sql = stack.sql(2);
    await fleet.start(1);
    await fleet.start(2);
    await fleet.settlesOn(1, 2);
  });
  after(async () => {
    fleet.stop();
    await stack.stop();
  });

  it('keeps its shards', async () => {
    const before = await fleet.overview();
    await loaded(fleet, sql, 'SIGKILL and back', async () => {
      await fleet.kill(2);
      await fleet.start(2);
    });
    assert.deepEqual((await fleet.overview()).shards, before.shards);
  });
});

/** Clients at work while `act` happens; then the tables are compared with what they were told. */
async function loaded(fleet: Fleet, sql: postgres.Sql, what: string, act: () => Promise<void>): Promise<Load> {
  const [member] = fleet.live.values();
  assert.ok(member);
  const { tenant, walletIds } = await newWallets(member, 60);
  const load = new Load(fleet, tenant, walletIds, 16);
  await eventually('clients are at work', () => load.told.length > 50);
  await act();
  const before = load.told.length;
  await eventually('clients go on', () => load.told.length > before + 50);
  const told = await load.end();
  await compare(sql, walletIds, told);
  const troubles = [...load.troubles].map(([name, count]) => `${name}: ${count}`).join(', ') || 'none';
  console.log(`${what}: ${told.length} calls, longest ${Math.round(load.longestMs)} ms, failed tries ${troubles}`);
  return load;
}
