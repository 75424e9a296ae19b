/** Reads of the past on a real Postgres: an account of 2,500 transactions, ten seconds apart. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StoredTransaction } from '@local-plus/actors';
import { batchOf, newAccountId, posted } from '@local-plus/actors/conformance';
import { type ProgramId, transactionId, uuidV7 } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { oneDatabase } from './databases.ts';
import { everything, LedgerReads, type PageFilter, SCAN_VERSIONS_MAX } from './reads.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

const VERSIONS = 2_500;
const STARTED_MS = 1_700_000_000_000;
const accountId = newAccountId();
const programId = uuidV7<ProgramId>(STARTED_MS);

const msOf = (version: number): number => STARTED_MS + version * 10_000;
const moment = (ms: number): string => new Date(ms).toISOString();

/** Every 7th is a burn, every 10th has the same time as the one before, and few have a reference. */
function rowOf(version: number) {
  return posted(
    accountId,
    version,
    { programId, reference: version % 1_100 === 0 ? 'rare' : version % 5 === 0 ? `order "${version}"` : null },
    {
      kind: version % 7 === 0 ? 'burn' : 'earn',
      occurredAtMs: msOf(version % 10 === 0 ? version - 1 : version),
      baseVersion: 0,
      detail: { reason: `reason ${version}` },
    },
  );
}

describe('reads of the past', () => {
  let database: TestDatabase;
  let pool: Database;
  let reads: LedgerReads;
  let store: PostgresLedgerStore;
  let commit: (versions: readonly number[]) => Promise<void>;
  before(async () => {
    database = await startDatabase();
    pool = database.pool();
    reads = new LedgerReads(oneDatabase({ id: 1, url: database.url, pool }));
    store = new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults });
    const writer = { writerId: 1, ...(await store.claim(1)) };
    let batch = writer.batch;
    commit = async (versions) => {
      batch++;
      assert.ok(await store.commit(batchOf({ ...writer, batch }, { posted: versions.map(rowOf) })));
    };
    for (let first = 1; first <= VERSIONS; first += 500) await commit(versionsFrom(first, first + 499));
  });
  after(async () => {
    await store.reset('writes');
    await database.close();
  });

  const walk = async (rowsMax: number, filter: Partial<PageFilter>, versionMax = VERSIONS) => {
    const rows: StoredTransaction[] = [];
    let pages = 0;
    for (let next: number | null = versionMax; next !== null; pages++) {
      const page = await reads.page(accountId, next, rowsMax, { ...everything, ...filter });
      assert.ok(page.rows.length <= rowsMax);
      rows.push(...page.rows);
      assert.ok(page.nextVersion === null || page.nextVersion < next, 'a walk comes to its end');
      next = page.nextVersion;
    }
    return { versions: rows.map((row) => row.posting.version), pages, rows };
  };
  const expected = (matches: (version: number) => boolean) => versionsFrom(1, VERSIONS).filter(matches).reverse();

  it('gives every row once, newest first, and says where the end is', async () => {
    const { versions, pages } = await walk(100, {});
    assert.deepEqual(
      versions,
      expected(() => true),
    );
    assert.equal(pages, 25);
    assert.equal((await reads.page(accountId, 100, 100)).nextVersion, null);
    assert.equal((await reads.page(accountId, 101, 100)).nextVersion, 1);
    assert.deepEqual(await reads.page(accountId, 0, 100), { rows: [], nextVersion: null });
    assert.deepEqual(await reads.page(newAccountId(), 0, 100, { ...everything, from: moment(0) }), {
      rows: [],
      nextVersion: null,
    });
  });

  it('gives the rows as they were written', async () => {
    const { rows } = await walk(1, { from: moment(msOf(1_000)), to: moment(msOf(1_003)) });
    for (const row of rows) {
      const wanted = rowOf(row.posting.version);
      assert.deepEqual(row.posting, wanted.posting);
      assert.equal(row.hash, wanted.hash);
      assert.deepEqual(await reads.one(row.transactionId), row);
    }
    assert.deepEqual(
      rows.map((row) => row.posting.version),
      [1_002, 1_001],
    );
  });

  it('filters by kind and by reference, together too', async () => {
    assert.deepEqual(
      (await walk(100, { kind: 'burn' })).versions,
      expected((version) => version % 7 === 0),
    );
    assert.deepEqual((await walk(100, { reference: 'order "35"' })).versions, [35]);
    assert.deepEqual((await walk(100, { reference: 'order "35"', kind: 'burn' })).versions, [35]);
    assert.deepEqual((await walk(100, { reference: 'order "35"', kind: 'earn' })).versions, []);
  });

  it('filters by time: from a moment on, before a moment; equal times stay together', async () => {
    const at = (version: number) => moment(msOf(version));
    const between = async (from: number, to: number) => (await walk(7, { from: at(from), to: at(to) })).versions;
    assert.deepEqual(await between(5, 8), [7, 6, 5]);
    assert.deepEqual(await between(19, 21), [20, 19]);
    assert.deepEqual(await between(20, 21), []);
    assert.deepEqual(await between(8, 8), []);
    assert.deepEqual(await between(8, 5), []);
    assert.deepEqual(
      (await walk(100, { from: at(2_499) })).versions,
      expected((version) => version >= 2_499),
    );
    assert.deepEqual((await walk(100, { to: at(1) })).versions, []);
    assert.deepEqual(
      (await walk(100, { to: moment(Date.now()) })).versions,
      expected(() => true),
    );
    assert.deepEqual(
      (await walk(1, { from: '2023-11-14T23:14:10+01:00', to: '2023-11-14T22:14:20.001Z' })).versions,
      [6, 5],
    );
    const burnsBetween = await walk(3, { kind: 'burn', from: at(500), to: at(600) });
    assert.deepEqual(
      burnsBetween.versions,
      expected((version) => version % 7 === 0 && version >= 500 && version < 600),
    );
  });

  it('looks at a bounded number of rows for a page, and hands back where to go on though it is empty', async () => {
    const { versions, pages } = await walk(100, { reference: 'rare' });
    assert.deepEqual(versions, [2_200, 1_100]);
    assert.equal(pages, Math.ceil(VERSIONS / SCAN_VERSIONS_MAX));
    const empty = await reads.page(accountId, VERSIONS, 100, { ...everything, kind: 'freeze' });
    assert.deepEqual(empty, { rows: [], nextVersion: VERSIONS - SCAN_VERSIONS_MAX });
    const short = await walk(100, { kind: 'freeze', from: moment(msOf(2_000)) });
    assert.deepEqual([short.versions, short.pages], [[], 1]);
  });

  it('is not confused by rows that arrive during a walk, nor by those that the actor does not know of', async () => {
    const first = await reads.page(accountId, VERSIONS, 1_000, { ...everything, to: moment(msOf(9_999)) });
    await commit([VERSIONS + 1, VERSIONS + 2]);
    assert.ok(first.nextVersion !== null);
    const { versions } = await walk(1_000, { to: moment(msOf(9_999)) }, first.nextVersion);
    assert.deepEqual(
      [...first.rows.map((row) => row.posting.version), ...versions],
      expected(() => true),
    );
    const newest = await reads.page(accountId, VERSIONS, 1, { ...everything, from: moment(STARTED_MS) });
    assert.equal(newest.rows[0]?.posting.version, VERSIONS);
  });

  it('knows one by its id only, and the newest at a moment', async () => {
    const [row] = (await reads.page(accountId, 17, 1)).rows;
    assert.ok(row);
    assert.equal(await reads.one(uuidV7(Date.now())), null);
    assert.equal(await reads.one(transactionId(1, { writerId: 1, batch: 1, place: 16 })), null);
    assert.equal((await reads.one(row.transactionId))?.posting.version, 17);
    assert.equal((await reads.at(accountId, VERSIONS, moment(msOf(19))))?.posting.version, 20);
    assert.equal(await reads.at(accountId, VERSIONS, moment(STARTED_MS)), null);
  });
});

function versionsFrom(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
