/** The audit on a real Postgres: an honest ledger of every kind passes; each damage is named by its rule and its row. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { chainText, type PostedRow } from '@local-plus/actors';
import { type AccountId, programAccount } from '@local-plus/contracts';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import type { Database } from '../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import type { RuleName } from './findings.ts';
import { auditLines } from './print.ts';
import { type AuditRow, LedgerRows } from './rows.ts';
import { closeDays, openDatabase, originalOf, Stage } from './test/stage.ts';
import { type AuditOptions, auditLedger } from './verify.ts';

const expiry = { period: 'days', count: 30, endOfMonth: false } as const;
const nextDay = { ...expiry, count: 1 };
const copied = ['transactions', 'refusals', 'account_states', 'balance_snapshots', 'ledger_roots'] as const;

describe('the audit of the ledger', () => {
  let postgres: TestDatabase;
  let database: Database;
  /** Earns with an expiry, a hold, a capture, a transfer out; a checkpoint on the second day; a hold that ends by itself. */
  let saver: AccountId;
  /** Three rows on the first day, nothing after. */
  let sleeper: AccountId;
  /** Gets a transfer; is reversed, frozen, adjusted; points of it expire. */
  let mover: AccountId;
  /** Its first row is older than the chain. */
  let elder: AccountId;

  before(async () => {
    postgres = await startDatabase();
    database = openDatabase(postgres.url);
    const stage = new Stage(new PostgresLedgerStore({ ...storeDefaults, databaseUrl: postgres.url }), 3);
    try {
      await stage.start();
      await build(stage);
    } finally {
      await stage.stop();
    }
    assert.equal(await closeDays(database, '2026-03-04T00:06:00Z'), 5);
    for (const table of copied) await postgres.sql.unsafe(`create table kept_${table} as table ${table}`);
  });
  after(async () => {
    await database.close(1_000);
    await postgres.close();
  });
  beforeEach(async () => {
    for (const table of copied) {
      await postgres.sql.unsafe(`truncate ${table}; insert into ${table} select * from kept_${table}`);
    }
  });

  async function build(stage: Stage): Promise<void> {
    stage.turnTo('2026-03-01T10:00:00Z');
    [saver, sleeper, mover, elder] = [stage.account(), stage.account(), stage.account(), stage.account()];
    await postgres.sql`
      insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
        contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
      values (${elder}, 1, 1024, 40, 40, 40, 0, '2026-02-27T10:00:00Z', ${programAccount(stage.programId, 'issued')},
        ${stage.programId}, ${stage.programId}, 'earn', '\\x00', 'old')`;
    await stage.post(saver, { kind: 'earn', amount: 100, expiry });
    await stage.post(saver, { kind: 'hold', amount: 30, expiresInS: 2 * 86_400 });
    await stage.post(saver, { kind: 'burn', amount: 10 });
    await stage.post(sleeper, { kind: 'load', amount: 50 }, { reference: 'Straße "7"', metadata: '{"a" : 1,"b":"é"}' });
    await stage.post(sleeper, { kind: 'redeem', amount: 20 });
    await stage.post(sleeper, { kind: 'earn', amount: 5, expiry: null });
    await stage.refuse(sleeper, { kind: 'burn', amount: 1_000 });
    stage.turnTo('2026-03-02T10:00:00Z');
    await stage.post(saver, { kind: 'capture', hold: 2, amount: 20, final: true });
    const earned = await stage.post(mover, { kind: 'earn', amount: 60, expiry });
    const policy = { type: 'refuse' } as const;
    const reverse = { kind: 'reverse', original: originalOf(earned), amount: 25, reason: 'mistake', policy } as const;
    await stage.post(mover, reverse);
    await stage.post(mover, { kind: 'freeze', reason: 'lost card' });
    await stage.post(mover, { kind: 'unfreeze', reason: 'found' });
    await stage.post(mover, { kind: 'adjust', amount: 5, direction: 'in', reason: 'sorry', expiry: nextDay });
    await stage.transfer(saver, mover, 15);
    for (let count = 0; count < 70; count++) await stage.post(saver, { kind: 'earn', amount: 1, expiry });
    await stage.post(elder, { kind: 'burn', amount: 1 });
    await stage.post(elder, { kind: 'earn', amount: 2, expiry: null });
    stage.turnTo('2026-03-04T10:00:00Z');
    await stage.post(mover, { kind: 'due' });
    await stage.post(saver, { kind: 'hold', amount: 3, expiresInS: 60 });
    stage.turnTo('2026-03-04T10:02:00Z');
    await stage.post(saver, { kind: 'due' });
  }

  const audit = (options: Partial<AuditOptions> = {}) => auditLedger({ database, pageRows: 7, ...options });

  async function assertNames(rule: RuleName, accountId: AccountId, version: number): Promise<void> {
    const { results, first } = await audit();
    const found = results.find((result) => result.rule === rule)?.first;
    assert.ok(found, `the rule ${rule} found something`);
    assert.deepEqual([found.place.accountId, found.place.version], [accountId, version]);
    assert.notEqual(first, null);
  }

  it('passes over an honest ledger of every kind, at any size of a page', async () => {
    for (const pageRows of [1, 7, 64, 1_000]) {
      const { results, first, rows, newest } = await audit({ pageRows });
      assert.deepEqual(
        results.filter(({ violations }) => violations > 0),
        [],
      );
      assert.equal(first, null);
      assert.equal(rows, 90);
      assert.equal(newest?.day, '2026-03-03');
      const looked = Object.fromEntries(results.map(({ rule, looked }) => [rule, looked]));
      assert.equal(looked['versions'], rows);
      assert.equal(looked['chain'], rows - 1);
      assert.equal(looked['total'], rows * 2);
      assert.equal(looked['transfers'], 2);
      assert.equal(looked['reversals'], 1);
      assert.equal(looked['keys'], 1);
      assert.equal(looked['roots'], 5);
    }
  });

  it('passes over one account, and over what happened since a day', async () => {
    for (const accountId of [saver, sleeper, mover, elder]) assert.equal((await audit({ accountId })).first, null);
    for (const since of ['2026-02-28', '2026-03-02', '2026-03-03', '2026-03-04']) {
      for (const pageRows of [1, 7, 1_000]) assert.equal((await audit({ since, pageRows })).first, null, since);
    }
    assert.equal((await audit({ since: '2026-03-04' })).rows, 3);
  });

  /** What each damage is, which rule says so, and of which row. */
  const damages: readonly {
    readonly name: string;
    readonly damage: (sql: TestDatabase['sql']) => Promise<unknown>;
    readonly rule: RuleName;
    readonly row: () => readonly [AccountId, number];
  }[] = [
    {
      name: 'a changed amount',
      damage: (sql) => sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`,
      rule: 'machine',
      row: () => [sleeper, 2],
    },
    {
      name: 'a changed amount, to the chain',
      damage: (sql) => sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`,
      rule: 'chain',
      row: () => [sleeper, 2],
    },
    {
      name: 'a changed amount and delta and everything after, without the hashes',
      damage: (sql) => sql`
        update transactions set amount = amount + case when version = 1 then 100 else 0 end,
          balance_delta = balance_delta + case when version = 1 then 100 else 0 end, balance_after = balance_after + 100
        where account_id = ${sleeper}`,
      rule: 'chain',
      row: () => [sleeper, 1],
    },
    {
      name: 'a changed balance_after',
      damage: (sql) => sql`update transactions set balance_after = 31 where account_id = ${sleeper} and version = 2`,
      rule: 'balances',
      row: () => [sleeper, 2],
    },
    {
      name: 'a changed held_after',
      damage: (sql) => sql`update transactions set held_after = 29 where account_id = ${saver} and version = 3`,
      rule: 'machine',
      row: () => [saver, 3],
    },
    {
      name: 'a changed delta of any size',
      damage: (sql) => sql`
        update transactions set balance_delta = 9223372036854775807 where account_id = ${sleeper} and version = 2`,
      rule: 'balances',
      row: () => [sleeper, 2],
    },
    {
      name: 'another contra account',
      damage: (sql) => sql`
        update transactions set contra_account_id = ${mover} where account_id = ${sleeper} and version = 2`,
      rule: 'entries',
      row: () => [sleeper, 2],
    },
    {
      name: 'a row removed from the middle',
      damage: (sql) => sql`delete from transactions where account_id = ${sleeper} and version = 2`,
      rule: 'versions',
      row: () => [sleeper, 3],
    },
    {
      name: "an account's first row removed",
      damage: (sql) => sql`delete from transactions where account_id = ${sleeper} and version = 1`,
      rule: 'versions',
      row: () => [sleeper, 2],
    },
    {
      name: 'the newest row removed after its day was closed',
      damage: (sql) => sql`delete from transactions where account_id = ${sleeper} and version = 3`,
      rule: 'snapshots',
      row: () => [sleeper, 3],
    },
    {
      name: 'a swapped pair',
      damage: (sql) =>
        sql`
        update transactions set version = case version when 6 then 1007 else 1006 end
        where account_id = ${saver} and version in (6, 7)`.then(
          () => sql`update transactions set version = version - 1000 where account_id = ${saver} and version > 1000`,
        ),
      rule: 'chain',
      row: () => [saver, 6],
    },
    {
      name: 'a changed reference',
      damage: (sql) => sql`update transactions set reference = 'x' where account_id = ${sleeper} and version = 1`,
      rule: 'chain',
      row: () => [sleeper, 1],
    },
    {
      name: 'metadata that say the same in other words',
      damage: (sql) => sql`
        update transactions set metadata = '{"a":1,"b":"é"}' where account_id = ${sleeper} and version = 1`,
      rule: 'chain',
      row: () => [sleeper, 1],
    },
    {
      name: 'a changed key',
      damage: (sql) => sql`update transactions set idempotency_key = 'x' where account_id = ${sleeper} and version = 1`,
      rule: 'chain',
      row: () => [sleeper, 1],
    },
    {
      name: 'a changed detail',
      damage: (sql) => sql`
        update transactions set detail = replace(detail::text, 'lost', 'gone')::json
        where account_id = ${mover} and version = 3`,
      rule: 'chain',
      row: () => [mover, 3],
    },
    {
      name: 'a detail with a member that the machine does not know',
      damage: (sql) => sql`
        update transactions set detail = replace(detail::text, '}', ',"x":1}')::json
        where account_id = ${mover} and version = 3`,
      rule: 'chain',
      row: () => [mover, 3],
    },
    {
      name: 'a detail that is none',
      damage: (sql) => sql`update transactions set detail = '"x"' where account_id = ${saver} and version = 1`,
      rule: 'chain',
      row: () => [saver, 1],
    },
    {
      name: 'a time changed by less than a millisecond',
      damage: (sql) => sql`
        update transactions set occurred_at = occurred_at + interval '100 microseconds'
        where account_id = ${sleeper} and version = 1`,
      rule: 'chain',
      row: () => [sleeper, 1],
    },
    {
      name: 'a row moved in the order of commits',
      damage: (sql) => sql`update transactions set seq = 3::bigint << 53 where account_id = ${sleeper} and version = 3`,
      rule: 'versions',
      row: () => [sleeper, 3],
    },
    {
      name: 'a changed hash',
      damage: (sql) => sql`
        update transactions set hash = sha256('x') where account_id = ${sleeper} and version = 2`,
      rule: 'chain',
      row: () => [sleeper, 2],
    },
    {
      name: 'a removed hash',
      damage: (sql) => sql`update transactions set hash = null where account_id = ${sleeper} and version = 2`,
      rule: 'chain',
      row: () => [sleeper, 2],
    },
    {
      name: "all of an account's hashes removed",
      damage: (sql) => sql`update transactions set hash = null where account_id = ${sleeper}`,
      rule: 'chain',
      row: () => [sleeper, 3],
    },
    {
      name: 'a checkpoint that differs',
      damage: (sql) => sql`
        update account_states set state = replace(state::text, '"owed":0', '"owed":1')::json where account_id = ${saver}`,
      rule: 'restore',
      row: () => [saver, 64],
    },
    {
      name: 'a checkpoint that is none',
      damage: (sql) => sql`update account_states set state = '{}' where account_id = ${saver}`,
      rule: 'restore',
      row: () => [saver, 64],
    },
    {
      name: 'a missing checkpoint',
      damage: (sql) => sql`delete from account_states where account_id = ${saver}`,
      rule: 'restore',
      row: () => [saver, 64],
    },
    {
      name: 'a checkpoint of a row that is not there',
      damage: (sql) => sql`insert into account_states values (${sleeper}, 4, '{}')`,
      rule: 'restore',
      row: () => [sleeper, 4],
    },
    {
      name: 'a refusal of a key that was posted',
      damage: (sql) => sql`
        update refusals set idempotency_key = (
          select idempotency_key from transactions where account_id = ${sleeper} and version = 2)`,
      rule: 'keys',
      row: () => [sleeper, 2],
    },
    {
      name: 'a transfer that arrives as less',
      damage: (sql) => sql`
        update transactions set amount = 14, balance_delta = 14 where account_id = ${mover} and kind = 'transfer_in'`,
      rule: 'transfers',
      row: () => [saver, 5],
    },
    {
      name: 'a reversal of another transaction',
      damage: (sql) => sql`
        update transactions set reversal_of = account_id where account_id = ${mover} and version = 2`,
      rule: 'reversals',
      row: () => [mover, 2],
    },
    {
      name: 'a changed snapshot',
      damage: (sql) => sql`
        update balance_snapshots set balance = 36 where account_id = ${sleeper} and day = '2026-03-01'`,
      rule: 'snapshots',
      row: () => [sleeper, 3],
    },
    {
      name: 'a removed snapshot',
      damage: (sql) => sql`delete from balance_snapshots where account_id = ${sleeper} and day = '2026-03-01'`,
      rule: 'coverage',
      row: () => [sleeper, 1],
    },
    {
      name: 'a row put into a day that is closed',
      damage: (sql) => sql`
        update transactions set occurred_at = '2026-03-01T20:00:00Z' where account_id = ${saver} and version = 77`,
      rule: 'coverage',
      row: () => [saver, 77],
    },
  ];
  for (const { name, damage, rule, row } of damages) {
    it(`names ${name}`, async () => {
      await damage(postgres.sql);
      const [accountId, version] = row();
      await assertNames(rule, accountId, version);
    });
  }

  /** Rewrites an account's history from a version on, as somebody who knows the format would. */
  async function forge(accountId: AccountId, from: number, gain: number): Promise<void> {
    let previous: string | null = null;
    const ledger = new LedgerRows(database, 100);
    await ledger.cut();
    const rows: AuditRow[] = [];
    for await (const page of ledger.pages({ accountId, since: null })) rows.push(...page);
    for (const { row } of rows) {
      const { posting, facts } = row;
      const extra = posting.version === from ? gain : 0;
      const isAfter = posting.version >= from;
      const forged: PostedRow = {
        facts,
        posting: {
          ...posting,
          amount: posting.amount + extra,
          balanceDelta: posting.balanceDelta + extra,
          balanceAfter: posting.balanceAfter + (isAfter ? gain : 0),
        },
        hash: null,
      };
      previous = hash('sha256', chainText(previous, forged), 'hex');
      const { amount, balanceDelta, balanceAfter, version } = forged.posting;
      await postgres.sql`
        update transactions set amount = ${amount}, balance_delta = ${balanceDelta}, balance_after = ${balanceAfter},
          hash = decode(${previous}, 'hex') where account_id = ${accountId} and version = ${version}`;
    }
  }

  it('names a forged and chained again history by the snapshot of its day', async () => {
    await forge(sleeper, 3, 1_000);
    const { results } = await audit();
    const violated = results.filter(({ violations }) => violations > 0).map(({ rule }) => rule);
    assert.deepEqual(violated, ['snapshots']);
    await assertNames('snapshots', sleeper, 3);
  });

  it('names the day of a snapshot that was forged with the rows', async () => {
    await forge(sleeper, 3, 1_000);
    await postgres.sql`
      update balance_snapshots as s set balance = t.balance_after, hash = t.hash from transactions as t
      where t.account_id = s.account_id and t.version = s.version`;
    const { results, first } = await audit();
    assert.deepEqual(
      results.filter(({ violations }) => violations > 0).map(({ rule }) => rule),
      ['roots'],
    );
    assert.equal(first?.place.day, '2026-03-01');
  });

  it('cannot tell when the roots were forged, too: but a root that was kept elsewhere can', async () => {
    const [kept] = await postgres.sql<{ day: string; root: string }[]>`
      select day::text, encode(root, 'hex') as root from ledger_roots where day = '2026-03-02'`;
    const heldRoots = new Map([[String(kept?.day), String(kept?.root)]]);
    assert.equal((await audit({ heldRoots })).first, null);

    await forge(sleeper, 3, 1_000);
    await postgres.sql`truncate balance_snapshots, ledger_roots`;
    await closeDays(database, '2026-03-04T00:06:00Z');
    assert.equal((await audit()).first, null);
    const { first } = await audit({ heldRoots });
    assert.deepEqual([first?.rule, first?.place.day, first?.expected], ['roots', '2026-03-02', kept?.root]);
  });

  it('names the day of a changed root, of a missing one, and of a wrong count', async () => {
    const changes: readonly (readonly [string, string])[] = [
      [`update ledger_roots set root = sha256('x') where day = '2026-03-02'`, '2026-03-02'],
      [`update ledger_roots set root = '' where day = '2026-03-01'`, '2026-03-01'],
      [`update ledger_roots set transactions = 0 where day = '2026-03-01'`, '2026-03-01'],
      [`update ledger_roots set accounts = 0 where day = '2026-03-01'`, '2026-03-01'],
      [`delete from ledger_roots where day = '2026-03-02'`, '2026-03-02'],
      [`delete from ledger_roots where day = '2026-03-03'`, '2026-03-03'],
    ];
    for (const [change, day] of changes) {
      await postgres.sql.unsafe(`truncate ledger_roots; insert into ledger_roots select * from kept_ledger_roots`);
      await postgres.sql.unsafe(change);
      const { results } = await audit();
      if (day === '2026-03-03') {
        // The newest root and its day's snapshots: nobody was in it, so only the next closing would show it.
        assert.equal(results.find(({ rule }) => rule === 'roots')?.violations, 0);
        continue;
      }
      const found = results.find(({ rule }) => rule === 'roots')?.first;
      assert.equal(found?.place.day, day, change);
    }
  });

  it('looks at one moment of a ledger that goes on', async () => {
    const stage = new Stage(new PostgresLedgerStore({ ...storeDefaults, databaseUrl: postgres.url }), 4);
    await stage.start();
    let isOver = false;
    const busy = (async () => {
      stage.turnTo('2026-03-05T10:00:00Z');
      const accounts = [stage.account(), stage.account()] as const;
      let posted = 0;
      while (!isOver) {
        await stage.post(accounts[0], { kind: 'earn', amount: 2, expiry });
        await stage.transfer(accounts[0], accounts[1], 1);
        posted++;
      }
      return posted;
    })();
    try {
      for (let round = 0; round < 5; round++) assert.equal((await audit()).first, null);
    } finally {
      isOver = true;
      assert.ok((await busy) > 5);
      await stage.stop();
    }
  });

  it('is printed as a table that says what is wrong first', async () => {
    assert.match(auditLines(await audit(), 0.5).join('\n'), /180 a second[\s\S]*Every row is what it claims to be\.$/);
    await postgres.sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`;
    const printed = auditLines(await audit(), 1).join('\n');
    assert.match(printed, new RegExp(`chain.* 1  account ${sleeper} version 2 hash: expected [0-9a-f]{64}, found`));
    assert.match(printed, new RegExp(`The first wrong row: account ${sleeper} version 2 `));
  });
});
