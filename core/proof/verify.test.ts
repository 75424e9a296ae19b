/** The audit on a real Postgres: an honest ledger passes, whole or in part; a forged one is named by its days. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { chainText, type LedgerStore, type PostedRow } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { eventually, meanwhile } from '../test/stack.ts';
import { auditLines } from './print.ts';
import { type AuditRow, LedgerRows } from './rows.ts';
import { expiry, type HonestLedger, honestLedger } from './test/honest-ledger.ts';
import { closeDays, Stage } from './test/stage.ts';
import type { Audit, AuditOptions } from './verify.ts';

const storeOf = (databaseUrl: string): LedgerStore => new PostgresLedgerStore({ ...storeDefaults, databaseUrl });

/** The rules that found something. */
function violated({ results }: Audit): string[] {
  return results.filter(({ violations }) => violations > 0).map(({ rule }) => rule);
}

describe('the audit of the ledger', () => {
  let postgres: TestDatabase;
  let ledger: HonestLedger;
  before(async () => {
    postgres = await startDatabase();
    ledger = await honestLedger(postgres.sql, postgres.url, storeOf(postgres.url));
  });
  after(async () => {
    await ledger.close();
    await postgres.close();
  });
  beforeEach(() => ledger.restore());

  const audit = (options: Partial<AuditOptions> = {}) => ledger.audit(options);

  it('passes over an honest ledger of every kind, at any size of a page', async () => {
    for (const pageRows of [1, 7, 64, 1_000]) {
      const { results, first, rows, newest } = await audit({ pageRows });
      assert.equal(first, null);
      assert.equal(rows, 90);
      assert.deepEqual(
        newest.map(({ databaseId, day }) => [databaseId, day]),
        [[1, '2026-03-03']],
      );
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
    for (const accountId of Object.values(ledger.accounts)) assert.equal((await audit({ accountId })).first, null);
    for (const since of ['2026-02-28', '2026-03-02', '2026-03-03', '2026-03-04']) {
      for (const pageRows of [1, 7, 1_000]) assert.equal((await audit({ since, pageRows })).first, null, since);
    }
    assert.equal((await audit({ since: '2026-03-04' })).rows, 3);
  });

  it('says when what came before a day cannot be restored', async () => {
    const { saver } = ledger.accounts;
    await ledger.sql`delete from account_states where account_id = ${saver}`;
    const { first } = await audit({ since: '2026-03-04' });
    assert.deepEqual([first?.rule, first?.place.accountId, first?.place.version], ['restore', saver, 75]);
  });

  /** Rewrites an account's history from a version on, as somebody who knows the format would. */
  async function forge(accountId: AccountId, from: number, gain: number): Promise<void> {
    let previous: string | null = null;
    const reader = new LedgerRows(ledger.database, 100);
    await reader.cut();
    const rows: AuditRow[] = [];
    for await (const page of reader.pages({ accountId, since: null })) rows.push(...page);
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
      await ledger.sql`
        update transactions set amount = ${amount}, balance_delta = ${balanceDelta}, balance_after = ${balanceAfter},
          hash = decode(${previous}, 'hex') where account_id = ${accountId} and version = ${version}`;
    }
  }

  it('names a forged and chained again history by the snapshot of its day', async () => {
    const { sleeper } = ledger.accounts;
    await forge(sleeper, 3, 1_000);
    const found = await audit();
    assert.deepEqual(violated(found), ['snapshots']);
    assert.deepEqual(found.first?.place, { accountId: sleeper, version: 3, day: '2026-03-01' });
  });

  it('names the day of a snapshot that was forged with the rows', async () => {
    await forge(ledger.accounts.sleeper, 3, 1_000);
    await ledger.sql`
      update balance_snapshots as s set balance = t.balance_after, hash = t.hash from transactions as t
      where t.account_id = s.account_id and t.version = s.version`;
    const found = await audit();
    assert.deepEqual(violated(found), ['roots']);
    assert.equal(found.first?.place.day, '2026-03-01');
  });

  it('cannot tell when the roots were forged, too: but a root that was kept elsewhere can', async () => {
    const [kept] = await ledger.sql<{ day: string; root: string }[]>`
      select day::text, encode(root, 'hex') as root from ledger_roots where day = '2026-03-02'`;
    const heldRoots = [{ databaseId: 1, day: String(kept?.day), root: String(kept?.root) }];
    assert.equal((await audit({ heldRoots })).first, null);

    await forge(ledger.accounts.sleeper, 3, 1_000);
    await ledger.sql`truncate balance_snapshots, ledger_roots`;
    await closeDays(ledger.database, '2026-03-04T00:06:00Z');
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
      [`delete from ledger_roots where day = '2026-02-27'`, '2026-02-27'],
    ];
    for (const [change, day] of changes) {
      await ledger.sql.unsafe(`truncate ledger_roots; insert into ledger_roots select * from kept_ledger_roots`);
      await ledger.sql.unsafe(change);
      const { results } = await audit();
      const found = results.find(({ rule }) => rule === 'roots')?.first;
      assert.equal(found?.place.day, day, change);
    }
  });

  it('looks at one moment of a ledger that goes on', async () => {
    const stage = new Stage(storeOf(postgres.url), 4);
    await stage.start();
    let audits = 0;
    const busy = (async () => {
      stage.turnTo('2026-03-05T10:00:00Z');
      const accounts = [stage.account(), stage.account()] as const;
      for (let count = 0; count < 60; count++) {
        await stage.post(accounts[0], { kind: 'earn', amount: 2, expiry });
        await stage.transfer(accounts[0], accounts[1], 1);
        // However slow it is, it sees this much, and then more.
        const whole = audits + 2;
        if (count === 20 || count === 40) await eventually('it is looked at', () => audits >= whole);
      }
    })();
    try {
      const rows = new Set<number>();
      await meanwhile(busy, async () => {
        const seen = await audit();
        assert.equal(seen.first, null);
        rows.add(seen.rows);
        audits++;
      });
      assert.ok(rows.size > 1, 'it was looked at while it grew');
      assert.equal((await audit()).rows, 90 + 180);
    } finally {
      await stage.stop();
    }
  });

  it('is printed as a table that says what is wrong first', async () => {
    assert.match(auditLines(await audit(), 0.5).join('\n'), /180 a second[\s\S]*Every row is what it claims to be\.$/);
    await ledger.sql`update transactions set amount = 21 where account_id = ${ledger.accounts.sleeper} and version = 2`;
    const printed = auditLines(await audit(), 1).join('\n');
    assert.match(
      printed,
      new RegExp(`chain.* 1  account ${ledger.accounts.sleeper} version 2 hash: expected [0-9a-f]{64}, found`),
    );
    assert.match(printed, new RegExp(`The first wrong row: account ${ledger.accounts.sleeper} version 2 `));
  });

  /** `npm run verify-ledger`, but for the bootstrap. */
  async function command(...args: string[]): Promise<{ code: unknown; output: string }> {
    const file = path.join(import.meta.dirname, '..', 'verify-ledger.ts');
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    const [code] = await once(child, 'close');
    return { code, output };
  }

  it('is a command that exits 0 when all is well, 1 when not, 2 when it cannot tell', async () => {
    const { sleeper } = ledger.accounts;
    const url = ['--database-url', postgres.url];
    const [kept] = await ledger.sql<{ root: string }[]>`
      select encode(root, 'hex') as root from ledger_roots where day = '2026-03-03'`;
    const well = await command(...url, '--root', `2026-03-03=${kept?.root}`);
    assert.equal(well.code, 0, well.output);
    assert.ok(well.output.includes(`The root of 2026-03-03 is ${kept?.root}`));
    assert.equal((await command(...url, '--since', '2026-03-02')).code, 0);

    await ledger.sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`;
    const wrong = await command(...url, '--account', sleeper);
    assert.equal(wrong.code, 1);
    assert.match(wrong.output, new RegExp(`The first wrong row: account ${sleeper} version 2 `));

    for (const args of [
      ['--account', sleeper, '--root', `2026-03-03=${kept?.root}`],
      ['--account', 'x'],
      ['--since', '2026-02-30'],
      ['--root', 'x'],
      ['--nonsense'],
    ]) {
      assert.equal((await command(...url, ...args)).code, 2, args.join(' '));
    }
    const away = await command('--database-url', 'postgres://u:p@127.0.0.1:1/x');
    assert.equal(away.code, 2);
    assert.match(away.output, /^the database is away .*\n$/);
  });
});
