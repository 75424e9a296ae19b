/** How liability keeps up with the ledger: each row once, on its own day, whoever sums, and whenever it dies. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { oneDatabase } from '../ledger/databases.ts';
import { ledgerEarnings } from '../ledger/earnings.ts';
import { ledgerFlows } from '../ledger/flows.ts';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { auditLedger } from '../proof/index.ts';
import { originalOf, Stage } from '../proof/test/stage.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { type LedgerSums, LiabilityFollower } from './follower.ts';
import { LiabilityStore } from './store.ts';

const merchantId = '01890000-0000-7000-8000-000000000009';
const expiry = { period: 'days', count: 1, endOfMonth: false } as const;

describe('summing what the ledger owes', () => {
  let postgres: TestDatabase;
  let stages: readonly Stage[];
  let store: LiabilityStore;
  let ledger: LedgerSums;
  let accounts: readonly AccountId[];

  before(async () => {
    postgres = await startDatabase();
    const pool = postgres.pool({ connectionsMax: 8, statementMs: 20_000 });
    store = new LiabilityStore(pool);
    const databases = oneDatabase({ id: 1, url: postgres.url, pool });
    const { tails } = ledgerEarnings(databases);
    ledger = { tails, between: ledgerFlows(databases).between };
    // Two writers, each with accounts and a program of its own.
    stages = [1, 2].map((writerId) => {
      const lane = new PostgresLedgerStore({ ...storeDefaults, databaseUrl: postgres.url });
      return new Stage(lane, writerId);
    });
    for (const stage of stages) {
      await stage.start();
      stage.turnTo('2026-03-01T10:00:00Z');
    }
    accounts = stages.map((stage) => stage.account());
  });
  after(async () => {
    for (const stage of stages) await stage.stop();
    await postgres.close();
  });

  const follower = (pageRows = 3, sums: LedgerSums = ledger, of = store) =>
    new LiabilityFollower({
      store: of,
      ledger: sums,
      programs: { find: () => ({ merchantId, unit: 'PTS' }) },
      clock: systemClock,
      timer: systemTimer,
      log: quiet,
      pageRows,
    });
  /** As often as it takes: a report's pages are bounded. */
  async function summed(): Promise<void> {
    for (let round = 0; round < 20; round++) await follower().catchUp();
  }
  const found = (stage: Stage) => store.program(stage.programId, '2026-01-01', '2026-12-31');
  const first = (): readonly [Stage, AccountId] => [stages[0] as Stage, accounts[0] as AccountId];

  it('puts each row on its day, of every writer, however small the pages', async () => {
    for (const [index, stage] of stages.entries()) {
      const account = accounts[index] as AccountId;
      stage.turnTo('2026-03-01T10:00:00Z');
      await stage.post(account, { kind: 'earn', amount: 100, expiry });
      await stage.post(account, { kind: 'earn', amount: 50, expiry: null });
      stage.turnTo('2026-03-02T23:59:59Z');
      await stage.post(account, { kind: 'burn', amount: 30 });
      stage.turnTo('2026-03-03T00:00:00Z');
      await stage.post(account, { kind: 'due' });
      const late = await stage.post(account, { kind: 'load', amount: 7 });
      await stage.post(account, {
        kind: 'reverse',
        original: originalOf(late),
        amount: 2,
        reason: null,
        policy: { type: 'refuse' },
      });
      await stage.refuse(account, { kind: 'burn', amount: 1_000 });
    }
    await summed();
    for (const stage of stages) {
      const { opening, days, asOf } = await found(stage);
      assert.equal(opening, '0');
      assert.ok(asOf !== null);
      assert.deepEqual(
        days.map((row) => [row.day, row.issued, row.redeemed, row.expired, row.reversed_issued, row.transactions]),
        [
          ['2026-03-01', '150', '0', '0', '0', 2],
          ['2026-03-02', '0', '30', '0', '0', 1],
          ['2026-03-03', '7', '0', '70', '-2', 3],
        ],
      );
    }
    const rows = await store.page(merchantId, '2026-01-01', { day: '2026-03-04', programId: zero }, 10);
    assert.deepEqual(
      rows.map(({ day, opening }) => [day, opening]),
      [
        ['2026-03-03', '120'],
        ['2026-03-03', '120'],
        ['2026-03-02', '150'],
        ['2026-03-02', '150'],
        ['2026-03-01', '0'],
        ['2026-03-01', '0'],
      ],
    );
  });

  it('adds a row that was committed late to its own day, and says so', async () => {
    const [stage, account] = first();
    const before = await found(stage);
    await stage.post(account, { kind: 'earn', amount: 1, expiry: null });
    await summed();
    const { days } = await found(stage);
    const day = days.at(-1);
    assert.deepEqual([day?.day, day?.issued, day?.late_transactions], ['2026-03-03', '8', 1]);
    assert.equal(days.length, before.days.length);
  });

  it('adds each row once, by many at the same time', async () => {
    const [stage, account] = first();
    const before = Number((await found(stage)).days.at(-1)?.issued);
    const writing = (async () => {
      for (let count = 0; count < 60; count++) await stage.post(account, { kind: 'earn', amount: 1, expiry: null });
    })();
    const summing = Array.from({ length: 6 }, async () => {
      for (let round = 0; round < 10; round++) await follower(2).catchUp();
    });
    await Promise.all([writing, ...summing]);
    await summed();
    assert.equal(Number((await found(stage)).days.at(-1)?.issued), before + 60);
  });

  it('adds each row once, though it dies before and after each write', async () => {
    const [stage, account] = first();
    const before = Number((await found(stage)).days.at(-1)?.issued);
    for (const when of ['before', 'after'] as const) {
      for (let count = 0; count < 5; count++) await stage.post(account, { kind: 'earn', amount: 1, expiry: null });
      const dying = new LiabilityStore(postgres.pool());
      const { advance } = dying;
      dying.advance = async (...parameters: Parameters<typeof advance>) => {
        if (when === 'after') await advance.apply(dying, parameters);
        throw new Error('killed');
      };
      await follower(2, ledger, dying).catchUp();
    }
    await summed();
    assert.equal(Number((await found(stage)).days.at(-1)?.issued), before + 10);
  });

  it('keeps up by itself, and goes on when the ledger could not be read', async () => {
    const [stage, account] = first();
    const before = Number((await found(stage)).days.at(-1)?.issued);
    await stage.post(account, { kind: 'earn', amount: 5, expiry: null });
    await postgres.sql`update liability_cuts set updated_at = now() - interval '1 minute'`;
    const own = follower();
    own.start();
    await eventually('it has found it', () => own.rows > 0);
    await own.stop();
    assert.equal(Number((await found(stage)).days.at(-1)?.issued), before + 5);
    const away: LedgerSums = { ...ledger, tails: () => Promise.reject(new Error('away')) };
    await follower(3, away).catchUp();
  });

  it('is what the audit recomputes; what was changed is named', async () => {
    const database = postgres.pool({ connectionsMax: 2, statementMs: 20_000 });
    const wrong = async () => {
      const { results } = await auditLedger({ database });
      const { looked, violations, first: finding } = results.find(({ rule }) => rule === 'liability') ?? {};
      return { looked, violations, finding };
    };
    assert.deepEqual(await wrong(), { looked: 6, violations: 0, finding: null });
    const [stage] = first();
    // Rows behind the cut are no part of the figures.
    await stage.post(accounts[0] as AccountId, { kind: 'earn', amount: 9, expiry: null });
    assert.equal((await wrong()).violations, 0);
    const damages = [
      postgres.sql`update liability_days set redeemed = redeemed + 1 where day = '2026-03-02' and program_id = ${stage.programId}`,
      postgres.sql`delete from liability_days where day = '2026-03-02' and program_id = ${stage.programId}`,
      postgres.sql`insert into liability_days (program_id, day, issued) values (${stage.programId}, '2026-03-02', 5)`,
    ];
    for (const [damage, compared] of [
      [damages[0], ['30', '31']],
      [damages[1], ['1', '0']],
      [damages[2], ['1', '0']],
    ] as const) {
      await damage;
      const { violations, finding } = await wrong();
      assert.deepEqual(
        [violations, finding?.place, finding?.expected, finding?.found],
        [1, { day: '2026-03-02' }, ...compared],
      );
      assert.match(finding?.what ?? '', new RegExp(stage.programId));
    }
  });
});

const zero = '00000000-0000-0000-0000-000000000000';
