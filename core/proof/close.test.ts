/** Closing days on a real Postgres: once, whoever does it and however often; nothing is left out, not even what is late. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { type Database, DatabaseUnavailable } from '../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { DayCloser } from './close.ts';
import { closingLimits } from './limits.ts';
import { RootDigest } from './root.ts';
import { closeDays, closerAt, openDatabase, Stage } from './test/stage.ts';
import { auditLedger } from './verify.ts';

const earn = (amount: number) => ({ kind: 'earn', amount, expiry: null }) as const;

describe('closing days', () => {
  let postgres: TestDatabase;
  let database: Database;
  let stage: Stage;
  let writerId = 0;

  before(async () => {
    postgres = await startDatabase();
    database = openDatabase(postgres.url);
  });
  after(async () => {
    await stage.stop();
    await database.close(1_000);
    await postgres.close();
  });
  beforeEach(async () => {
    await stage?.stop();
    await postgres.sql`truncate transactions, refusals, account_states, account_dues, balance_snapshots, ledger_roots`;
    stage = new Stage(new PostgresLedgerStore({ ...storeDefaults, databaseUrl: postgres.url }), ++writerId);
    await stage.start();
  });

  const roots = () => postgres.sql<{ day: string; accounts: string; transactions: string; root: string }[]>`
    select day::text, accounts, transactions, encode(root, 'hex') as root from ledger_roots order by day`;
  const snapshots = () => postgres.sql<{ day: string; account_id: string; version: string; balance: string }[]>`
    select day::text, account_id, version, balance from balance_snapshots order by day, account_id`;

  it('gives every day a root, also one on which nothing happened, and each changed account a snapshot', async () => {
    stage.turnTo('2026-03-01T10:00:00Z');
    const [a, b] = [stage.account(), stage.account()];
    await stage.post(a, earn(10));
    await stage.post(a, earn(5));
    await stage.post(b, earn(7));
    stage.turnTo('2026-03-03T00:00:00Z');
    await stage.post(a, earn(1));

    assert.equal(await closeDays(database, '2026-03-03T12:00:00Z'), 2);
    const [first, second, ...more] = await roots();
    assert.deepEqual([first?.day, first?.accounts, first?.transactions], ['2026-03-01', '2', '3']);
    assert.deepEqual([second?.day, second?.accounts, second?.transactions], ['2026-03-02', '0', '0']);
    assert.equal(more.length, 0);
    const lines = (await snapshots()).map(({ day, account_id, version, balance }) => [
      day,
      account_id,
      version,
      balance,
    ]);
    assert.deepEqual(lines, [
      ['2026-03-01', a, '2', '15'],
      ['2026-03-01', b, '1', '7'],
    ]);
    // What anybody can recompute: the empty day's root is over the one before.
    const empty = new RootDigest('2026-03-02', first?.root ?? null).close({ accounts: 0, transactions: 0 });
    assert.equal(second?.root, empty);
  });

  it('closes no day before its end and the grace', async () => {
    stage.turnTo('2026-03-01T23:59:59.990Z');
    await stage.post(stage.account(), earn(10));
    assert.equal(await closeDays(database, '2026-03-01T23:59:59.999Z'), 0);
    assert.equal(await closeDays(database, '2026-03-02T00:04:59.999Z'), 0);
    assert.equal(await closeDays(database, '2026-03-02T00:05:00.000Z'), 1);
  });

  it('does not believe a clock that is ahead of the database', async () => {
    const today = new Date().toISOString().slice(0, 10);
    stage.turnTo(`${today}T00:00:00Z`);
    await stage.post(stage.account(), earn(10));
    assert.equal(await closeDays(database, '2999-01-01T00:00:00Z'), 0);
    assert.equal((await snapshots()).length, 0);
  });

  it('changes nothing when a day is closed again', async () => {
    stage.turnTo('2026-03-01T10:00:00Z');
    const a = stage.account();
    await stage.post(a, earn(10));
    await closeDays(database, '2026-03-02T12:00:00Z');
    const before = [await roots(), await snapshots()];
    await stage.post(a, earn(10));
    assert.equal(await closeDays(database, '2026-03-02T12:00:00Z'), 0);
    assert.deepEqual([await roots(), await snapshots()], before);
  });

  it('closes once when many try at once', async () => {
    for (const day of ['01', '02', '03']) {
      stage.turnTo(`2026-03-${day}T10:00:00Z`);
      for (let count = 0; count < 5; count++) await stage.post(stage.account(), earn(10));
    }
    const pools = Array.from({ length: 4 }, () => openDatabase(postgres.url));
    try {
      for (let round = 0; round < 3; round++) {
        const closers = pools.map((pool) => closerAt(pool, '2026-03-04T12:00:00Z'));
        await Promise.all(closers.map((closer) => closer.closeNext()));
      }
      await closeDays(database, '2026-03-04T12:00:00Z');
    } finally {
      for (const pool of pools) await pool.close(1_000);
    }
    assert.deepEqual(
      (await roots()).map(({ day, accounts }) => [day, accounts]),
      [
        ['2026-03-01', '5'],
        ['2026-03-02', '5'],
        ['2026-03-03', '5'],
      ],
    );
    assert.equal((await auditLedger({ database, pageRows: 3 })).first, null);
  });

  it('completes a day that another process claimed and did not seal', async () => {
    stage.turnTo('2026-03-01T10:00:00Z');
    for (let count = 0; count < 5; count++) await stage.post(stage.account(), earn(10));
    await closeDays(database, '2026-03-02T12:00:00Z');
    const [whole] = await roots();
    await postgres.sql`update ledger_roots set root = ''`;
    assert.equal((await auditLedger({ database })).first, null, 'between its two steps a day is not wrong');
    assert.equal(await closeDays(database, '2026-03-02T12:00:00Z'), 1);
    assert.deepEqual([...(await roots())], [whole]);
  });

  it('brings what was committed after its day had been closed under the next root', async () => {
    stage.turnTo('2026-03-01T10:00:00Z');
    const [early, late] = [stage.account(), stage.account()];
    await stage.post(early, earn(10));
    await closeDays(database, '2026-03-02T00:06:00Z');
    await stage.post(early, earn(1));
    await stage.post(late, earn(2));

    const waiting = await auditLedger({ database });
    assert.equal(waiting.first, null);
    assert.match(waiting.notes.join(), /2 rows were committed after .* the next root will cover them/);

    stage.turnTo('2026-03-02T10:00:00Z');
    await stage.post(early, earn(1));
    await closeDays(database, '2026-03-03T00:06:00Z');
    assert.deepEqual(
      (await roots()).map(({ accounts, transactions }) => [accounts, transactions]),
      [
        ['1', '1'],
        ['2', '3'],
      ],
    );
    const covered = await auditLedger({ database });
    assert.equal(covered.first, null);
    assert.match(covered.notes.join(), /2 rows were committed after .* the next day's root covers them/);

    // The row that came two closings late is under no root, and that is said.
    stage.turnTo('2026-03-01T11:00:00Z');
    const forgotten = stage.account();
    await stage.post(forgotten, earn(3));
    const { first } = await auditLedger({ database });
    assert.deepEqual([first?.rule, first?.place.accountId, first?.place.version], ['coverage', forgotten, 1]);
  });
});

describe('the role that closes days', () => {
  it('says once that it cannot, tries again with growing pauses, and says that it can again', async () => {
    const delays: number[] = [];
    const said: string[] = [];
    const waiting: (() => void)[] = [];
    let isAway = true;
    const closer = new DayCloser({
      clock: { nowMs: () => 0 },
      timer: {
        after: (delayMs, run) => {
          delays.push(delayMs);
          waiting.push(run);
          return () => void waiting.pop();
        },
      },
      log: { info: (event) => said.push(event), warn: (event) => said.push(event), error: (event) => said.push(event) },
      database: {
        read: async () => {
          if (isAway) throw new DatabaseUnavailable('away', { connectionLost: true });
          return [];
        },
        write: async () => [],
      },
      limits: { ...closingLimits, backoffMs: 100, backoffMsMax: 350, everyMs: 5_000 },
    });
    const turn = async () => {
      waiting.shift()?.();
      await new Promise(setImmediate);
    };
    closer.start();
    for (let count = 0; count < 4; count++) await turn();
    assert.deepEqual(delays, [0, 100, 200, 350, 350]);
    assert.deepEqual(said, ['days cannot be closed; tried again']);
    assert.equal(closer.status.isFailing, true);

    isAway = false;
    await turn();
    assert.equal(delays.at(-1), 5_000);
    assert.equal(said.at(-1), 'days are closed again');
    closer.stop();
    assert.equal(waiting.length, 0);
  });
});
