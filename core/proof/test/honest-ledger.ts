/** An honest ledger of every kind over four days, three of them closed; what a test does to it is undone before the next. */
import assert from 'node:assert/strict';
import type { LedgerStore } from '@local-plus/actors';
import { type AccountId, programAccount } from '@local-plus/contracts';
import type postgres from 'postgres';
import type { Database } from '../../platform/postgres/index.ts';
import { type Audit, type AuditOptions, auditLedger } from '../verify.ts';
import { closeDays, openDatabase, originalOf, Stage } from './stage.ts';

export const expiry = { period: 'days', count: 30, endOfMonth: false } as const;
const nextDay = { ...expiry, count: 1 };
const copied = ['transactions', 'refusals', 'account_states', 'balance_snapshots', 'ledger_roots'] as const;

export interface HonestLedger {
  readonly sql: postgres.Sql;
  readonly database: Database;
  readonly accounts: Accounts;
  /** By small pages, so that there are many. */
  audit(options?: Partial<AuditOptions>): Promise<Audit>;
  restore(): Promise<void>;
  /** Its connections. */
  close(): Promise<void>;
}

/** In the order of their ids. */
export interface Accounts {
  /** Earns with an expiry, a hold, a capture, a transfer out; a checkpoint on the second day; a hold that ends by itself. */
  readonly saver: AccountId;
  /** Three rows on the first day, nothing after. */
  readonly sleeper: AccountId;
  /** Gets a transfer; is reversed, frozen, adjusted; points of it expire. */
  readonly mover: AccountId;
  /** Its first row is older than the chain. */
  readonly elder: AccountId;
}

/** @param sql, databaseUrl an empty database with the schema; its owner closes it after {@link HonestLedger.close} */
export async function honestLedger(sql: postgres.Sql, databaseUrl: string, store: LedgerStore): Promise<HonestLedger> {
  const database = openDatabase(databaseUrl);
  const stage = new Stage(store, 3);
  let accounts: Accounts;
  try {
    await stage.start();
    accounts = await build(stage, sql);
  } finally {
    await stage.stop();
  }
  assert.equal(await closeDays(database, '2026-03-04T00:06:00Z'), 5);
  for (const table of copied) await sql.unsafe(`create table kept_${table} as table ${table}`);
  return {
    sql,
    database,
    accounts,
    audit: (options = {}) => auditLedger({ database, pageRows: 7, ...options }),
    async restore() {
      for (const table of copied) {
        await sql.unsafe(`truncate ${table}; insert into ${table} select * from kept_${table}`);
      }
    },
    close: () => database.close(1_000),
  };
}

async function build(stage: Stage, sql: postgres.Sql): Promise<Accounts> {
  stage.turnTo('2026-03-01T10:00:00Z');
  const [saver, sleeper, mover, elder] = [stage.account(), stage.account(), stage.account(), stage.account()];
  await sql`
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
  return { saver, sleeper, mover, elder };
}
