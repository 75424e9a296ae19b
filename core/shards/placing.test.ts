/**
 * Placing the shards of a ledger in two databases, on two real Postgres servers: once, for ever, and never past anybody who
 * might still write (D3); and that a process with wrong settings serves nothing (D2).
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { migrationsFolder } from '../config.ts';
import { connect, newAccounts, requestOf } from '../ledger/test/clients.ts';
import { type Database, migrate } from '../platform/postgres/index.ts';
import { systemTimer } from '../platform/time/index.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { PlacingError, placeShards } from './index.ts';
import { Placement } from './placement.ts';
import { type DatabaseId, TwoDatabases } from './test/two-databases.ts';

const connectMs = 2_000;

describe('placing shards', () => {
  const two = new TwoDatabases();
  before(() => two.start());
  after(() => two.stop());
  beforeEach(async () => {
    for (const id of [1, 2] as const) {
      await two
        .sql(id)
        .unsafe(`truncate shard_databases, writer_databases, ledger_database, writers, transactions, shards;
        insert into shards (id, writer_id) select id, 1 from generate_series(0, 255) as id`);
    }
  });

  async function placed(id: DatabaseId): Promise<{ ids: number[]; owners: number[] }> {
    const rows = await two.sql(id)<{ id: number; writer_id: number }[]>`select id, writer_id from shards order by id`;
    return { ids: rows.map((row) => row.id), owners: [...new Set(rows.map((row) => row.writer_id))] };
  }

  it('gives each database its own, the second one’s to nobody yet, and does nothing when it is done again', async () => {
    await two.place();
    const [first, second] = [await placed(1), await placed(2)];
    assert.deepEqual([first.ids.length, second.ids.length], [128, 128]);
    assert.equal(new Set([...first.ids, ...second.ids]).size, 256, 'no shard is in both');
    assert.deepEqual([first.owners, second.owners], [[1], [0]]);
    await two.sql(2)`update shards set writer_id = 7`;
    await two.place();
    assert.deepEqual(await placed(2), { ...second, owners: [7] });
  });

  it('is for ever: other databases are refused, and so is what knows of one only', async () => {
    await two.place();
    const third = new URL(two.second.url);
    third.pathname = '/third';
    await two.sql(2)`create database third`;
    await migrate({ url: third.href, folder: migrationsFolder, connectMs });
    const more = new Map([...two.urls, [3, third.href]]);
    await assert.rejects(placeShards(more, connectMs), new PlacingError(PLACED('1, 2, 3')));
    const twice = new Map([...two.urls, [3, two.second.url]]);
    await assert.rejects(placeShards(twice, connectMs), /database 3 is the ledger's database 2/);
    await assert.rejects(placeShards(new Map([[1, two.first.url]]), connectMs), new PlacingError(PLACED('1')));
  });

  it('changes nothing of a ledger in one database', async () => {
    await placeShards(new Map([[1, two.first.url]]), connectMs);
    assert.equal((await placed(1)).ids.length, 256);
    assert.deepEqual([...(await two.sql(1)`select id from ledger_database`)], []);
  });

  it('is refused once something was committed, in either database', async () => {
    for (const id of [1, 2] as const) {
      await two.sql(id)`insert into writers (id, epoch, batch) values (5, 1, 1)`;
      await assert.rejects(two.place(), /has transactions already: shards are placed once/);
      assert.deepEqual([(await placed(1)).ids.length, (await placed(2)).ids.length], [256, 256], 'nothing is decided');
      await two.sql(id)`delete from writers`;
    }
  });

  it('goes on where it was killed between the two databases (D4)', async () => {
    await two.sql(2)`alter table ledger_database rename to ledger_database_away`;
    await two.sql(2)`create view ledger_database as select id from ledger_database_away limit 1`;
    await assert.rejects(two.place(), /view "ledger_database"/);
    await two.sql(2)`drop view ledger_database`;
    await two.sql(2)`alter table ledger_database_away rename to ledger_database`;
    assert.deepEqual([(await placed(1)).ids.length, (await placed(2)).ids.length], [128, 256]);
    const pools = [two.pool(1), two.pool(2)] as const;
    const own = placementOf(two, pools, 2, 2);
    await tried(own);
    assert.match(own.fault ?? '', /database 2 is none of the ledger yet/);
    await two.place();
    await eventually('it is established', () => own.fault === null);
    assert.equal((await placed(2)).ids.length, 128);
    await Promise.all(pools.map((pool) => pool.close(1_000)));
  });

  it('D3, I7: fences whoever had claimed before', async () => {
    const early = connect(two.first.url, 1);
    await early.start();
    await two.place();
    const [account] = newAccounts(1) as [AccountId];
    const outcome = await early.submit(requestOf(account, 'earn', 5, 'a'));
    assert.notEqual(outcome.type, 'posted');
    assert.equal(early.status.lane, 'superseded');
    await early.stop(100);
    assert.deepEqual([...(await two.sql(1)`select version from transactions`)], []);
  });
});

describe('a process with wrong settings', () => {
  const two = new TwoDatabases();
  let pools: readonly [Database, Database];
  let open: Placement[] = [];
  before(async () => {
    await two.start();
    await two.place();
    pools = [two.pool(1), two.pool(2)];
  });
  after(async () => {
    await Promise.all(pools.map((pool) => pool.close(1_000)));
    await two.stop();
  });
  afterEach(() => {
    for (const placement of open) placement.stop();
    open = [];
  });

  async function faultOf(placement: Placement): Promise<string | null> {
    open.push(placement);
    await tried(placement);
    return placement.fault;
  }

  it('has none when it has the right ones, and knows then where accounts are', async () => {
    const placement = placementOf(two, pools, 2, 2);
    assert.throws(() => placement.of(accountOf(0)), /unavailable/);
    assert.equal(await faultOf(placement), null);
    assert.deepEqual([placement.of(accountOf(0)).id, placement.of(accountOf(255)).id], [1, 2]);
  });

  it('D2: waits when a database is another than it takes it for', async () => {
    const swapped = [pools[0], pools[0]] as const;
    assert.match((await faultOf(placementOf(two, swapped, 12, 2))) ?? '', /should be database 2 is 1/);
  });

  it('D2: waits when its writer is another database’s', async () => {
    assert.equal(await faultOf(placementOf(two, pools, 30, 1)), null);
    assert.match((await faultOf(placementOf(two, pools, 30, 2))) ?? '', /writer 30 is of database 1, not of 2/);
  });

  it('D2: waits when it knows of one database only', async () => {
    const own = { id: 1, url: two.first.url, pool: pools[0] };
    const placement = new Placement({ ...bounds, databases: [own], own, home: pools[0], writerId: 9 });
    assert.match((await faultOf(placement)) ?? '', /several databases, and LEDGER_DATABASES does not name them/);
  });
});

const PLACED = (named: string) =>
  `The ledger's shards are in the databases 1, 2 for ever, and the settings name ${named}.`;

const bounds = { seenIn: () => null, timer: systemTimer, log: quiet, againMs: 20 };

function placementOf(
  two: TwoDatabases,
  pools: readonly [Database, Database],
  writerId: number,
  databaseId: DatabaseId,
): Placement {
  const databases = ([1, 2] as const).map((id, index) => ({
    id,
    url: two.urls.get(id) as string,
    pool: pools[index] as Database,
  }));
  const own = databases[databaseId - 1] as (typeof databases)[number];
  return new Placement({ ...bounds, databases, own, home: pools[0], writerId });
}

/** It has tried once; it goes on trying. */
async function tried(placement: Placement): Promise<void> {
  let isOver = false;
  const trying = placement.establish().then(() => {
    isOver = true;
  });
  await eventually('it has tried', () => isOver || placement.fault !== null);
  if (isOver) await trying;
}

/** An account of this shard. */
function accountOf(shard: number): AccountId {
  return `01890000-0000-7000-8000-0000000000${shard.toString(16).padStart(2, '0')}` as AccountId;
}
