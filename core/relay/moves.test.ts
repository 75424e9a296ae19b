/**
 * Shards that move between writers on a real Postgres, and a Kafka that the test holds in its hand: per account in version
 * order, nothing missing, whoever publishes what, and when (I5, R5).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Runtime } from '@local-plus/actors';
import { type AccountId, type LedgerTransactionEvent, shards, topics } from '@local-plus/contracts';
import { connect, newAccounts, requestOf } from '../ledger/test/clients.ts';
import type { EventProducer } from '../platform/kafka/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { ShardStore } from '../shards/store.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { relayLimits } from './limits.ts';
import { Relay } from './relay.ts';
import { PostgresRelayStore } from './store.ts';
import { Tending } from './tending.ts';

const limits = { ...relayLimits, pollMs: 50, progressMs: 20, barrierPollMs: 20, lingerMs: 1 };

/** What arrived, in its order: account and version. */
class Log {
  readonly events: { readonly accountId: string; readonly version: number }[] = [];
  readonly blocked = new Set<string>();

  producer(name: string): EventProducer {
    return {
      connected: true,
      messagesTotal: new Map(),
      connect: async () => undefined,
      close: async () => undefined,
      send: async (all) => {
        while (this.blocked.has(name)) await pause(5);
        for (const { topic, messages } of all) {
          if (topic !== topics.ledgerTransactions) continue;
          for (const { key, value } of messages) {
            const { data } = JSON.parse(String(value)) as LedgerTransactionEvent;
            this.events.push({ accountId: String(key), version: data.version });
          }
        }
      },
    } as EventProducer;
  }

  /** Each event once, where it came first. */
  versions(accountId: string): number[] {
    return [...new Set(this.events.filter((each) => each.accountId === accountId).map(({ version }) => version))];
  }
}

describe('the relays of several writers', () => {
  let database: TestDatabase;
  let pool: Database;
  let store: ShardStore;
  const runtimes: Runtime[] = [];
  const stopping: (() => Promise<void>)[] = [];

  before(async () => {
    database = await startDatabase();
    pool = database.pool();
    store = new ShardStore(pool);
  });
  after(async () => {
    for (const stop of stopping) await stop();
    for (const runtime of runtimes) await runtime.stop(100);
    await database.close();
  });

  async function writer(writerId: number): Promise<Runtime> {
    const runtime = connect(database.url, writerId);
    await runtime.start();
    runtimes.push(runtime);
    await store.beat({ writerId, incarnation: 1, address: `127.0.0.1:${writerId}`, relays: true, draining: false });
    await database.sql`update shards set writer_id = ${writerId}, version = version + 1`;
    return runtime;
  }

  function relayOf(log: Log, writerId: number, name = String(writerId), bounds = limits): Relay {
    const ports = { clock: systemClock, timer: systemTimer, random: Math.random, log: quiet, limits: bounds };
    const relay = new Relay({
      ...ports,
      writerId,
      store: new PostgresRelayStore(database.url),
      producer: log.producer(name),
    });
    stopping.push(() => relay.stop(100));
    return relay;
  }

  async function earn(runtime: Runtime, accountId: AccountId, count: number): Promise<void> {
    for (let number = 0; number < count; number++) {
      const outcome = await runtime.submit(requestOf(accountId, 'earn', 1, crypto.randomUUID()));
      assert.equal(outcome.type, 'posted');
    }
  }

  /** The runtimes' part of a move: nothing of the account is in memory afterwards. */
  async function handOver(
    from: Runtime,
    [fromId, toId]: readonly [number, number],
    accountId: AccountId,
  ): Promise<void> {
    assert.ok(await from.drain((each) => each === accountId, 1_000));
    const shard = shards.shardOf(accountId);
    const version = (await store.view(fromId)).shards.find(([id]) => id === shard)?.[2] ?? 0;
    const { epoch } = from.status;
    const moved = await store.handOver({ writerId: fromId, epoch }, toId, [{ shard, version }], 60_000);
    assert.equal(moved.length, 1);
  }

  it('keep an account in order when the old owner is slow, and let others pass until then', async () => {
    const log = new Log();
    const [first, second] = [await writer(21), await writer(22)];
    const [moving, other] = newAccounts(2) as [AccountId, AccountId];
    log.blocked.add('21');
    await earn(first, moving, 3);
    await earn(second, other, 2);
    await database.sql`update shards set writer_id = 21, version = version + 1`;
    await handOver(first, [21, 22], moving);
    await earn(second, moving, 2);
    const [one, two] = [relayOf(log, 21), relayOf(log, 22)];
    one.start();
    two.start();
    await eventually('what stands before the barrier is published', () => log.versions(other).length === 2);
    await eventually('the barrier is seen', () => two.status.barriers === 1);
    await pause(200);
    assert.deepEqual(log.versions(moving), [], 'nothing overtakes');
    log.blocked.delete('21');
    await eventually('all is published', () => log.versions(moving).length === 5);
    assert.deepEqual(log.versions(moving), [1, 2, 3, 4, 5]);
    await eventually('the barrier has served', () => two.status.barriers === 0);
    await eventually('and is gone', async () => (await database.sql`select 1 from shard_moves`).length === 0);
  });

  it('keep an account in order that went through a writer that wrote nothing (B3)', async () => {
    const log = new Log();
    const [first, idle, last] = [await writer(41), await writer(42), await writer(43)];
    await database.sql`update shards set writer_id = 41, version = version + 1`;
    const [account] = newAccounts(1) as [AccountId];
    await earn(first, account, 2);
    await handOver(first, [41, 42], account);
    await handOver(idle, [42, 43], account);
    await earn(last, account, 2);
    const [one, three] = [relayOf(log, 41), relayOf(log, 43)];
    three.start();
    await eventually('the barrier is seen', () => three.status.barriers === 1);
    await pause(100);
    assert.deepEqual(log.versions(account), []);
    one.start();
    await eventually('all is published', () => log.versions(account).length === 4);
    assert.deepEqual(log.versions(account), [1, 2, 3, 4]);
  });

  it('publish what a dead writer has left before anything of who took over, refusals at its end included', async () => {
    const log = new Log();
    const [dead, taker] = [await writer(31), await writer(32)];
    await database.sql`update shards set writer_id = 31, version = version + 1`;
    const [account] = newAccounts(1) as [AccountId];
    await earn(dead, account, 3);
    assert.equal((await dead.submit(requestOf(account, 'burn', 99, 'too much'))).type, 'refused');
    const view = await store.view(31);
    const epoch = view.writers.find(({ id }) => id === 31)?.epoch ?? 0;
    const all = view.shards.map(([shard, , version]) => ({ shard, version, to: 32 }));
    assert.equal(await store.takeOver({ writerId: 31, epoch }, all), 256);
    await earn(taker, account, 2);
    relayOf(log, 32).start();
    await pause(200);
    assert.deepEqual(log.versions(account), []);
    const tending = new Tending({
      store: new PostgresRelayStore(database.url),
      relayOf: (writerId) => relayOf(log, writerId, 'tended'),
      clock: systemClock,
      timer: systemTimer,
      log: quiet,
      limits,
    });
    stopping.push(() => tending.stop());
    await eventually('all is published', () => {
      tending.tend([31]);
      return log.versions(account).length === 5;
    });
    assert.deepEqual(log.versions(account), [1, 2, 3, 4, 5]);
    await eventually('it is done with', () => tending.tendedTotal === 1);
  });

  for (const tendedMax of [4, 1]) {
    it(`publish what dead writers have left that wait for each other, ${tendedMax} at once`, async () => {
      const log = new Log();
      const ids = [1, 2, 3].map((each) => 100 * (tendedMax + 4) + each) as [number, number, number];
      const [first, second, taker] = [await writer(ids[0]), await writer(ids[1]), await writer(ids[2])];
      const [one, other] = twoShards();
      await database.sql`update shards set writer_id = ${ids[0]} where id = ${shards.shardOf(one)}`;
      await database.sql`update shards set writer_id = ${ids[1]} where id = ${shards.shardOf(other)}`;
      // Each has something that the other has to be published for, and something that waits for the other.
      for (let round = 0; round < 3; round++) {
        await earn(first, one, 1);
        await earn(second, other, 1);
        await handOver(first, [ids[0], ids[1]], one);
        await handOver(second, [ids[1], ids[0]], other);
        await earn(first, other, 1);
        await earn(second, one, 1);
        await handOver(first, [ids[0], ids[1]], other);
        await handOver(second, [ids[1], ids[0]], one);
      }
      await die(ids[0], ids[2], one);
      await die(ids[1], ids[2], other);
      await earn(taker, one, 1);
      await earn(taker, other, 1);
      relayOf(log, ids[2]).start();
      const tending = new Tending({
        store: new PostgresRelayStore(database.url),
        relayOf: (writerId) => relayOf(log, writerId),
        clock: systemClock,
        timer: systemTimer,
        log: quiet,
        limits: { ...limits, tendedMax, tendedStillMs: 100 },
      });
      stopping.push(() => tending.stop());
      await eventually('all is published', () => {
        tending.tend([ids[0], ids[1]]);
        return log.versions(one).length === 7 && log.versions(other).length === 7;
      });
      for (const account of [one, other]) assert.deepEqual(log.versions(account), [1, 2, 3, 4, 5, 6, 7]);
      await eventually('both are done with', () => tending.tendedTotal === 2);
    });
  }

  it('wait for nothing of a writer that has committed nothing, however often its shards move on', async () => {
    const log = new Log();
    const [none, first, second] = [71, 72, 73] as const;
    const runtimes = [await writer(first), await writer(second)] as const;
    const [account] = newAccounts(1) as [AccountId];
    await database.sql`delete from shard_moves`;
    await database.sql`update shards set writer_id = ${none} where id = ${shards.shardOf(account)}`;
    await die(none, first, account);
    assert.deepEqual(await movesOf(account), []);
    assert.deepEqual((await store.view(first)).arrivals, []);
    // As it was noted by a process of an earlier version.
    await database.sql`insert into shard_moves values (${shards.shardOf(account)}, 1, ${none}, 0, ${first}, 0)`;
    assert.deepEqual((await store.view(first)).arrivals, []);
    await handOver(runtimes[0], [first, second], account);
    await handOver(runtimes[1], [second, first], account);
    assert.deepEqual(await movesOf(account), [none], 'it does not multiply');
    await earn(runtimes[0], account, 2);
    const relay = relayOf(log, first);
    relay.start();
    await eventually('all is published', () => log.versions(account).length === 2);
    assert.equal(relay.status.barriers, 0);
    assert.deepEqual(await movesOf(account), [], 'it is gone');
  });

  it('stop at a barrier without leaving a connection behind', async () => {
    const [first, second] = [await writer(81), await writer(82)];
    await database.sql`update shards set writer_id = 81, version = version + 1`;
    const [account] = newAccounts(1) as [AccountId];
    await earn(first, account, 1);
    await handOver(first, [81, 82], account);
    await earn(second, account, 1);
    const sessions = async () => {
      const rows = await database.sql`select pid from pg_stat_activity where application_name = 'local-plus relay'`;
      return rows.map(({ pid }): number => pid);
    };
    const before = new Set(await sessions());
    const relay = relayOf(new Log(), 82, '82', { ...limits, barrierPollMs: 300 });
    relay.start();
    await eventually('the barrier is seen', () => relay.status.barriers === 1);
    await pause(50);
    await relay.stop(20);
    // By now it would have asked for the barrier again.
    await pause(500);
    await eventually('none is left', async () => (await sessions()).every((pid) => before.has(pid)));
  });

  /** The former owners that the shard's new ones are told to wait for. */
  async function movesOf(accountId: AccountId): Promise<number[]> {
    const rows = await database.sql<{ from_writer: number }[]>`
      select from_writer from shard_moves where shard_id = ${shards.shardOf(accountId)}`;
    return rows.map(({ from_writer }) => from_writer);
  }

  /** The account's shard is taken over. */
  async function die(deadId: number, takerId: number, accountId: AccountId): Promise<void> {
    const view = await store.view(deadId);
    const epoch = view.writers.find(({ id }) => id === deadId)?.epoch ?? 0;
    const shard = shards.shardOf(accountId);
    const version = view.shards.find(([id]) => id === shard)?.[2] ?? 0;
    assert.equal(await store.takeOver({ writerId: deadId, epoch }, [{ shard, version, to: takerId }]), 1);
  }
});

/** Two accounts that move by themselves. */
function twoShards(): [AccountId, AccountId] {
  const [one, ...others] = newAccounts(20) as [AccountId, ...AccountId[]];
  const other = others.find((each) => shards.shardOf(each) !== shards.shardOf(one));
  assert.ok(other);
  return [one, other];
}
