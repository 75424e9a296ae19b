/** Each damage to the tables is named: by its rule, and with the row that it was done to. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import type { RuleName } from './findings.ts';
import { type Accounts, type HonestLedger, honestLedger } from './test/honest-ledger.ts';

type Sql = TestDatabase['sql'];

interface Damage {
  readonly name: string;
  readonly damage: (sql: Sql, accounts: Accounts) => Promise<unknown>;
  readonly rule: RuleName;
  readonly row: readonly [keyof Accounts, version: number];
}

const damages: readonly Damage[] = [
  {
    name: 'a changed amount',
    damage: (sql, { sleeper }) =>
      sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`,
    rule: 'machine',
    row: ['sleeper', 2],
  },
  {
    name: 'a changed amount, to the chain',
    damage: (sql, { sleeper }) =>
      sql`update transactions set amount = 21 where account_id = ${sleeper} and version = 2`,
    rule: 'chain',
    row: ['sleeper', 2],
  },
  {
    name: 'a changed amount and delta and everything after, without the hashes',
    damage: (sql, { sleeper }) => sql`
        update transactions set amount = amount + case when version = 1 then 100 else 0 end,
          balance_delta = balance_delta + case when version = 1 then 100 else 0 end, balance_after = balance_after + 100
        where account_id = ${sleeper}`,
    rule: 'chain',
    row: ['sleeper', 1],
  },
  {
    name: 'a changed balance_after',
    damage: (sql, { sleeper }) =>
      sql`update transactions set balance_after = 31 where account_id = ${sleeper} and version = 2`,
    rule: 'balances',
    row: ['sleeper', 2],
  },
  {
    name: 'a changed held_after',
    damage: (sql, { saver }) =>
      sql`update transactions set held_after = 29 where account_id = ${saver} and version = 3`,
    rule: 'machine',
    row: ['saver', 3],
  },
  {
    name: 'a changed delta of any size',
    damage: (sql, { sleeper }) => sql`
        update transactions set balance_delta = 9223372036854775807 where account_id = ${sleeper} and version = 2`,
    rule: 'balances',
    row: ['sleeper', 2],
  },
  {
    name: 'another contra account',
    damage: (sql, { sleeper, mover }) => sql`
        update transactions set contra_account_id = ${mover} where account_id = ${sleeper} and version = 2`,
    rule: 'entries',
    row: ['sleeper', 2],
  },
  {
    name: 'a row removed from the middle',
    damage: (sql, { sleeper }) => sql`delete from transactions where account_id = ${sleeper} and version = 2`,
    rule: 'versions',
    row: ['sleeper', 3],
  },
  {
    name: "an account's first row removed",
    damage: (sql, { sleeper }) => sql`delete from transactions where account_id = ${sleeper} and version = 1`,
    rule: 'versions',
    row: ['sleeper', 2],
  },
  {
    name: 'the newest row removed after its day was closed',
    damage: (sql, { sleeper }) => sql`delete from transactions where account_id = ${sleeper} and version = 3`,
    rule: 'snapshots',
    row: ['sleeper', 3],
  },
  {
    name: 'a swapped pair',
    damage: (sql, { saver }) =>
      sql`
        update transactions set version = case version when 6 then 1007 else 1006 end
        where account_id = ${saver} and version in (6, 7)`.then(
        () => sql`update transactions set version = version - 1000 where account_id = ${saver} and version > 1000`,
      ),
    rule: 'chain',
    row: ['saver', 6],
  },
  {
    name: 'a changed reference',
    damage: (sql, { sleeper }) =>
      sql`update transactions set reference = 'x' where account_id = ${sleeper} and version = 1`,
    rule: 'chain',
    row: ['sleeper', 1],
  },
  {
    name: 'metadata that say the same in other words',
    damage: (sql, { sleeper }) => sql`
        update transactions set metadata = '{"a":1,"b":"é"}' where account_id = ${sleeper} and version = 1`,
    rule: 'chain',
    row: ['sleeper', 1],
  },
  {
    name: 'a changed key',
    damage: (sql, { sleeper }) =>
      sql`update transactions set idempotency_key = 'x' where account_id = ${sleeper} and version = 1`,
    rule: 'chain',
    row: ['sleeper', 1],
  },
  {
    name: 'a changed detail',
    damage: (sql, { mover }) => sql`
        update transactions set detail = replace(detail::text, 'lost', 'gone')::json
        where account_id = ${mover} and version = 3`,
    rule: 'chain',
    row: ['mover', 3],
  },
  {
    name: 'a detail with a member that the machine does not know',
    damage: (sql, { mover }) => sql`
        update transactions set detail = replace(detail::text, '}', ',"x":1}')::json
        where account_id = ${mover} and version = 3`,
    rule: 'chain',
    row: ['mover', 3],
  },
  {
    name: 'a detail that is none',
    damage: (sql, { saver }) => sql`update transactions set detail = '"x"' where account_id = ${saver} and version = 1`,
    rule: 'chain',
    row: ['saver', 1],
  },
  {
    name: 'a time changed by less than a millisecond',
    damage: (sql, { sleeper }) => sql`
        update transactions set occurred_at = occurred_at + interval '100 microseconds'
        where account_id = ${sleeper} and version = 1`,
    rule: 'chain',
    row: ['sleeper', 1],
  },
  {
    name: 'a row moved in the order of commits',
    damage: (sql, { sleeper }) =>
      sql`update transactions set seq = 3::bigint << 53 where account_id = ${sleeper} and version = 3`,
    rule: 'versions',
    row: ['sleeper', 3],
  },
  {
    name: 'a changed hash',
    damage: (sql, { sleeper }) => sql`
        update transactions set hash = sha256('x') where account_id = ${sleeper} and version = 2`,
    rule: 'chain',
    row: ['sleeper', 2],
  },
  {
    name: 'a removed hash',
    damage: (sql, { sleeper }) =>
      sql`update transactions set hash = null where account_id = ${sleeper} and version = 2`,
    rule: 'chain',
    row: ['sleeper', 2],
  },
  {
    name: "all of an account's hashes removed",
    damage: (sql, { sleeper }) => sql`update transactions set hash = null where account_id = ${sleeper}`,
    rule: 'chain',
    row: ['sleeper', 3],
  },
  {
    name: 'a checkpoint that differs',
    damage: (sql, { saver }) => sql`
        update account_states set state = replace(state::text, '"owed":0', '"owed":1')::json where account_id = ${saver}`,
    rule: 'restore',
    row: ['saver', 64],
  },
  {
    name: 'a checkpoint that is none',
    damage: (sql, { saver }) => sql`update account_states set state = '{}' where account_id = ${saver}`,
    rule: 'restore',
    row: ['saver', 64],
  },
  {
    name: 'a missing checkpoint',
    damage: (sql, { saver }) => sql`delete from account_states where account_id = ${saver}`,
    rule: 'restore',
    row: ['saver', 64],
  },
  {
    name: 'a checkpoint of a row that is not there',
    damage: (sql, { sleeper }) => sql`insert into account_states values (${sleeper}, 4, '{}')`,
    rule: 'restore',
    row: ['sleeper', 4],
  },
  {
    name: 'a refusal of a key that was posted',
    damage: (sql, { sleeper }) => sql`
        update refusals set idempotency_key = (
          select idempotency_key from transactions where account_id = ${sleeper} and version = 2)`,
    rule: 'keys',
    row: ['sleeper', 2],
  },
  {
    name: 'a transfer that arrives as less',
    damage: (sql, { mover }) => sql`
        update transactions set amount = 14, balance_delta = 14 where account_id = ${mover} and kind = 'transfer_in'`,
    rule: 'transfers',
    row: ['saver', 5],
  },
  {
    name: 'a reversal of another transaction',
    damage: (sql, { mover }) => sql`
        update transactions set reversal_of = account_id where account_id = ${mover} and version = 2`,
    rule: 'reversals',
    row: ['mover', 2],
  },
  {
    name: 'a changed snapshot',
    damage: (sql, { sleeper }) => sql`
        update balance_snapshots set balance = 36 where account_id = ${sleeper} and day = '2026-03-01'`,
    rule: 'snapshots',
    row: ['sleeper', 3],
  },
  {
    name: 'a removed snapshot',
    damage: (sql, { sleeper }) =>
      sql`delete from balance_snapshots where account_id = ${sleeper} and day = '2026-03-01'`,
    rule: 'coverage',
    row: ['sleeper', 1],
  },
  {
    name: 'a row put into a day that is closed',
    damage: (sql, { saver }) => sql`
        update transactions set occurred_at = '2026-03-01T20:00:00Z' where account_id = ${saver} and version = 77`,
    rule: 'coverage',
    row: ['saver', 77],
  },
];

describe('the audit', () => {
  let postgres: TestDatabase;
  let ledger: HonestLedger;
  before(async () => {
    postgres = await startDatabase();
    const store = new PostgresLedgerStore({ ...storeDefaults, databaseUrl: postgres.url });
    ledger = await honestLedger(postgres.sql, postgres.url, store);
  });
  after(async () => {
    await ledger.close();
    await postgres.close();
  });
  beforeEach(() => ledger.restore());

  it('finds nothing where nothing was done', async () => {
    assert.equal((await ledger.audit()).first, null);
  });

  for (const { name, damage, rule, row } of damages) {
    it(`names ${name}`, async () => {
      await damage(ledger.sql, ledger.accounts);
      const { results, first } = await ledger.audit();
      const found = results.find((result) => result.rule === rule)?.first;
      assert.ok(found, `the rule ${rule} found something`);
      const accountId: AccountId = ledger.accounts[row[0]];
      assert.deepEqual([found.place.accountId, found.place.version], [accountId, row[1]]);
      assert.notEqual(first, null);
    });
  }
});
