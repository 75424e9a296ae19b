/** What a beat says of a process that was taken over from and does not know it yet, on a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { ShardStore } from './store.ts';

/** Nobody here is silent for so long: only the epoch decides. */
const SILENT_MS_MAX = 60_000;
const back = { writerId: 1, incarnation: 1, address: '127.0.0.1:1', relays: true, draining: false } as const;
const other = { ...back, writerId: 2, address: '127.0.0.1:2' } as const;

describe('a beat', () => {
  let database: TestDatabase;
  let store: ShardStore;

  before(async () => {
    database = await startDatabase();
    store = new ShardStore(database.pool());
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.sql`delete from members`;
    await database.sql`
      insert into writers (id, epoch, batch) values (1, 5, 0), (2, 1, 0)
      on conflict (id) do update set epoch = excluded.epoch`;
    await database.sql`update shards set writer_id = 2, version = version + 1`;
    await store.beat({ ...other, epoch: 1 });
  });

  /** Whether the other process can give a shard to this one, and what it is told of it. */
  async function taken(): Promise<{ isDraining: boolean | undefined; taken: number }> {
    const { members, shards } = await store.view(2);
    const isDraining = members.find((member) => member.writer_id === 1)?.draining;
    const [[shard, , version] = [0, 0, 0]] = shards;
    const moved = await store.handOver({ writerId: 2, epoch: 1 }, 1, [{ shard, version }], SILENT_MS_MAX);
    return { isDraining, taken: moved.length };
  }

  it('under the writer’s epoch offers to take shards', async () => {
    const beat = await store.beat({ ...back, epoch: 5 });
    assert.deepEqual(beat, { isNewest: true, epoch: 5, drainWanted: false });
    assert.deepEqual(await taken(), { isDraining: false, taken: 1 });
  });

  it('under another epoch takes none: who is over would let them lie until it is found dead again', async () => {
    const beat = await store.beat({ ...back, epoch: 4 });
    assert.deepEqual(beat, { isNewest: true, epoch: 5, drainWanted: false });
    assert.deepEqual(await taken(), { isDraining: true, taken: 0 });
  });

  it('offers again once it knows its own new epoch', async () => {
    await store.beat({ ...back, epoch: 4 });
    await store.beat({ ...back, epoch: 5 });
    assert.deepEqual(await taken(), { isDraining: false, taken: 1 });
  });
});
