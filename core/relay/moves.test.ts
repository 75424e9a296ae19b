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

  function relayOf(log: Log, writerId: number, name = String(writerId)): Relay {
    const ports = { clock: systemClock, timer: systemTimer, random: Math.random, log: quiet, limits };
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
});
