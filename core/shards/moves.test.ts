/**
 * Moves of shards on a real Postgres: what decides between two who want the same, and what a reply that never comes means.
 * The runtime and the keeper are the real ones; where a reply has to be lost, the store is wrapped.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Runtime } from '@local-plus/actors';
import { type AccountId, shards } from '@local-plus/contracts';
import { connect, newAccounts, requestOf } from '../ledger/test/clients.ts';
import type { Database } from '../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { Keeper, type KeeperPorts } from './keeper.ts';
import { shardLimits } from './limits.ts';
import { ShardMap } from './map.ts';
import { type Arrival, ShardStore } from './store.ts';

const limits = { ...shardLimits, beatMs: 50, absentMs: 200, gapMs: 700, doubtMs: 10 };

interface Process {
  readonly runtime: Runtime;
  readonly map: ShardMap;
  readonly keeper: Keeper;
  readonly expected: Arrival[];
  supersededCalls: number;
}

describe('moves of shards', () => {
  let database: TestDatabase;
  let pool: Database;
  let store: ShardStore;
  let runtimes: Runtime[] = [];
  let keepers: Keeper[] = [];

  before(async () => {
    database = await startDatabase();
    pool = database.pool({ connectionsMax: 6 });
    store = new ShardStore(pool);
  });
  after(async () => {
    await stopAll();
    await database.close();
  });
  beforeEach(async () => {
    await stopAll();
    await database.sql`delete from members`;
    await database.sql`delete from shard_moves`;
    await database.sql`update shards set writer_id = 1, version = version + 1`;
  });

  async function stopAll(): Promise<void> {
    for (const keeper of keepers) await keeper.stop();
    for (const runtime of runtimes) await runtime.stop(100);
    keepers = [];
    runtimes = [];
  }

  async function join(writerId: number, wrapped: Partial<KeeperPorts['store']> = {}): Promise<Process> {
    const runtime = connect(database.url, writerId);
    await runtime.start();
    const map = new ShardMap(writerId);
    const own: Process = { runtime, map, keeper: null as never, expected: [], supersededCalls: 0 };
    const keeper = new Keeper({
      map,
      store: {
        beat: (membership) => store.beat(membership),
        leave: (membership) => store.leave(membership),
        view: (id) => store.view(id),
        handOver: (...all) => store.handOver(...all),
        takeOver: (...all) => store.takeOver(...all),
        ...wrapped,
      },
      lane: runtime,
      clock: systemClock,
      timer: systemTimer,
      log: quiet,
      limits,
      address: () => `127.0.0.1:${writerId}`,
      relays: true,
      expect: (arrivals) => own.expected.push(...arrivals),
      tend: () => undefined,
      changed: () => undefined,
      superseded: () => {
        own.supersededCalls++;
      },
    });
    Object.assign(own, { keeper });
    runtimes.push(runtime);
    keepers.push(keeper);
    await keeper.join();
    return own;
  }

  async function shared(...processes: readonly Process[]): Promise<void> {
    await eventually('the shards are shared', () =>
      processes.every(({ map }) => Math.abs(map.countHere - 256 / processes.length) < 1),
    );
  }

  /** How often a shard was served twice, seen every millisecond until it is asked. */
  function watchOverlaps(processes: readonly Process[]): () => number {
    let overlaps = 0;
    let looks = 0;
    const watching = setInterval(() => {
      for (let shard = 0; shard < shards.shardCount; shard++) {
        if (processes.filter(({ map }) => map.standing(shard) === 'here').length > 1) overlaps++;
      }
      looks++;
    }, 1);
    return () => {
      clearInterval(watching);
      assert.ok(looks > 20, 'it was watched');
      return overlaps;
    };
  }

  it('are noted with the batches on both sides, and told before the shard is served (K1)', async () => {
    const first = await join(1);
    const [account] = newAccounts(1) as [AccountId];
    assert.equal((await first.runtime.submit(requestOf(account, 'earn', 5, 'a'))).type, 'posted');
    const second = await join(2);
    await shared(first, second);
    const { batch } = first.runtime.status;
    const moved = second.map.here;
    assert.equal(moved.length, 128);
    for (const shard of moved) {
      const arrival = second.expected.find((each) => each.shard === shard);
      assert.deepEqual(arrival, {
        shard,
        version: second.map.version(shard),
        fromWriter: 1,
        fromBatch: batch,
        toBatch: 0,
      });
    }
  });

  it('never leave two processes serving one shard, whatever they know and when', async () => {
    const processes = [await join(1), await join(2), await join(3)];
    const overlaps = watchOverlaps(processes);
    await shared(...processes);
    for (let round = 0; round < 4; round++) {
      await store.wish(1 + (round % 3), true, null);
      await eventually('it has handed over', () => processes[round % 3]?.map.countHere === 0);
      await store.wish(1 + (round % 3), false, null);
      await shared(...processes);
    }
    assert.equal(overlaps(), 0);
  });

  it('K3: of which the reply was lost leave nobody in doubt: it happened, or it never will', async () => {
    let lost = 0;
    const first = await join(1, {
      handOver: async (from, to, group, silentMs) => {
        const isGift = to !== from.writerId;
        if (!isGift || lost >= 6) return store.handOver(from, to, group, silentMs);
        lost++;
        // Now it happens before the reply is lost, now long after, as a ghost.
        const late = lost % 2 === 0 ? 0 : 60;
        const ghost = pause(late).then(() => store.handOver(from, to, group, silentMs));
        if (late === 0) await ghost;
        throw new Error('the reply was lost');
      },
    });
    const second = await join(2);
    const overlaps = watchOverlaps([first, second]);
    await eventually('replies were lost', () => lost >= 6);
    await shared(first, second);
    assert.equal(overlaps(), 0);
    assert.ok(first.keeper.moves.counters.doubts >= 6);
    for (let shard = 0; shard < shards.shardCount; shard++) {
      const standings = [first.map.standing(shard), second.map.standing(shard)].sort();
      assert.deepEqual(standings, ['away', 'here'], `shard ${shard}`);
    }
  });

  it('S1: a zombie cannot hand over what its successor serves', async () => {
    const zombie = connect(database.url, 1);
    await zombie.start();
    const { epoch } = zombie.status;
    const successor = connect(database.url, 1);
    await successor.start();
    runtimes.push(zombie, successor);
    await store.beat({ writerId: 2, incarnation: 1, address: '127.0.0.1:2', relays: true, draining: false });
    const view = await store.view(1);
    const own = view.shards.map(([shard, , version]) => ({ shard, version }));
    assert.deepEqual(await store.handOver({ writerId: 1, epoch }, 2, own, 60_000), []);
    const moved = await store.handOver({ writerId: 1, epoch: successor.status.epoch }, 2, own, 60_000);
    assert.equal(moved.length, 256, 'its successor can');
  });

  it('S1: who takes over fences the one that it takes from, once, and by the epoch that it saw', async () => {
    const first = await join(1);
    const [account] = newAccounts(1) as [AccountId];
    assert.equal((await first.runtime.submit(requestOf(account, 'earn', 5, 'a'))).type, 'posted');
    const { epoch, batch } = first.runtime.status;
    const view = await store.view(1);
    const all = view.shards.map(([shard, , version]) => ({ shard, version, to: 2 }));
    assert.equal(await store.takeOver({ writerId: 1, epoch: epoch - 1 }, all), 0, 'another epoch than it saw');
    const [one, other] = await Promise.all([
      store.takeOver({ writerId: 1, epoch }, all),
      store.takeOver({ writerId: 1, epoch }, all),
    ]);
    assert.equal((one as number) + (other as number), 256, 'one of two');
    assert.notEqual((await first.runtime.submit(requestOf(account, 'earn', 5, 'b'))).type, 'posted');
    const [row] = await database.sql`select count(*)::int as rows from transactions where account_id = ${account}`;
    assert.equal(row?.['rows'], 1);
    const [note] = await database.sql`select distinct from_writer, from_batch::int, to_writer from shard_moves`;
    assert.deepEqual({ ...note }, { from_writer: 1, from_batch: batch, to_writer: 2 });
  });

  it('K5: a process learns from its beats that another epoch is its writer’s, without writing anything', async () => {
    const first = await join(1);
    await database.sql`update writers set epoch = epoch + 1 where id = 1`;
    await eventually('it is told', () => first.supersededCalls > 0);
    assert.equal(first.keeper.isJoined, false);
    assert.equal(first.supersededCalls, 1);
  });

  /** A process among others whose beats are held, until it may not show state any more. */
  async function silenced() {
    let held: Promise<void> | null = null;
    const beats = { count: 0, lastMs: 0 };
    const first = await join(1, {
      beat: async (membership) => {
        beats.count++;
        beats.lastMs = systemClock.monotonicMs();
        await held;
        return store.beat(membership);
      },
    });
    await shared(first, await join(2));
    const { promise, resolve: goOn } = Promise.withResolvers<void>();
    held = promise;
    await eventually('it was silent for too long', () => !first.keeper.mayShowState);
    return { first, beats, goOn };
  }

  it('who was silent for too long shows state again as soon as a beat is answered, and those who ask wait for it', async () => {
    const { first, beats, goOn } = await silenced();
    await eventually('its last beat is too old', () => systemClock.monotonicMs() - beats.lastMs > limits.leaseMs);
    const before = beats.count;
    const asked = Promise.all([first.keeper.confirmState(), first.keeper.confirmState()]);
    goOn();
    assert.deepEqual(await asked, [true, true]);
    assert.ok(beats.count > before, 'the one that was held had begun before the silence: it says nothing of now');
    assert.equal(first.keeper.mayShowState, true);
  });

  it('state is not confirmed where the database does not answer, nor where another process has taken over', async () => {
    let fault: Error | null = null;
    const first = await join(1, {
      beat: async (membership) => {
        if (fault !== null) throw fault;
        return store.beat(membership);
      },
    });
    await shared(first, await join(2));
    fault = new Error('nobody answers');
    await eventually('it was silent for too long', () => !first.keeper.mayShowState);
    assert.equal(await first.keeper.confirmState(), false);
    await database.sql`update writers set epoch = epoch + 1 where id = 1`;
    fault = null;
    await eventually('it is told', () => first.supersededCalls > 0);
    assert.equal(await first.keeper.confirmState(), false);
  });

  it('K5: from the first beat on that finds another epoch nothing is shown from memory any more', async () => {
    const { first, goOn } = await silenced();
    await database.sql`update writers set epoch = epoch + 1 where id = 1`;
    let shown = 0;
    const watching = setInterval(() => {
      if (first.keeper.mayShowState) shown++;
    }, 1);
    goOn();
    await eventually('it is told', () => first.supersededCalls > 0);
    clearInterval(watching);
    assert.equal(shown, 0);
    assert.equal(first.keeper.mayShowState, false);
  });

  it('end with the process, and its stop never fails, whatever comes of an act that is under way', async () => {
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
    const { promise: broken, reject: fail } = Promise.withResolvers<never>();
    const first = await join(1, {
      takeOver: () => {
        isAsked();
        return broken;
      },
    });
    await database.sql`update shards set writer_id = 9, version = version + 1 where id < 8`;
    await asked;
    const stopping = first.keeper.stop();
    fail(new Error('the database is away'));
    await stopping;
    assert.deepEqual([...(await database.sql`select 1 from members where writer_id = 1`)], [], 'it has left');
  });

  it('end with the process, also when a beat of it is still under way', async () => {
    let held: Promise<void> | null = null;
    let isBeating = false;
    let beaten: Promise<unknown> = Promise.resolve();
    const first = await join(1, {
      beat: (membership) => {
        const gate = held;
        isBeating = gate !== null;
        const beat = Promise.resolve(gate).then(() => store.beat(membership));
        beaten = beat;
        return beat;
      },
    });
    const { promise, resolve: goOn } = Promise.withResolvers<void>();
    held = promise;
    await eventually('a beat is under way', () => isBeating);
    const stopping = first.keeper.stop();
    // Whoever does not wait for the beat leaves before it.
    await pause(50);
    goOn();
    await Promise.all([stopping, beaten]);
    assert.deepEqual([...(await database.sql`select 1 from members where writer_id = 1`)], [], 'it has left');
  });

  it('find accounts by the same shard in SQL as in code', async () => {
    const accounts = newAccounts(200);
    const rows = await database.sql`
      select id::text as id, get_byte(uuid_send(id), 15) as shard from unnest(${accounts}::uuid[]) as id`;
    for (const { id, shard } of rows) assert.equal(shards.shardOf(id as AccountId), shard);
  });
});
