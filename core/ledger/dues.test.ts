/**
 * What is due is posted by itself: the sweep and the runtime on a real Postgres, restoring every account from its rows.
 * Only the clock is ours: it is set forward instead of waiting.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command, Runtime } from '@local-plus/actors';
import { facts, newAccountId } from '@local-plus/actors/conformance';
import { type AccountId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { wellWithinDay } from '../test/time.ts';
import { findDue } from './dues.ts';
import { DueSweep, dueSweepLimits } from './sweep.ts';
import { connect } from './test/clients.ts';

const DAY_MS = 86_400_000;
/** Longer than it takes to make them all, on any machine. */
const HOLD_S = 3_600;
const programId = uuidV7<ProgramId>(Date.now());
const expiry = { period: 'days', count: 1, endOfMonth: false } as const;

describe('what is due, on Postgres', () => {
  let database: TestDatabase;
  let pool: Database;
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  before(async () => {
    database = await startDatabase();
    pool = database.pool();
  });
  after(async () => {
    await database.close();
  });
  // Points of two days would expire as two lots.
  beforeEach(async () => {
    aheadMs = 0;
    await wellWithinDay();
  });

  const runtimeOf = (writerId: number) => connect(database.url, writerId, { clock });
  const sweepOver = (runtime: Runtime) =>
    new DueSweep({
      find: (nowMs, accountsMax) => findDue(pool, nowMs, accountsMax),
      submit: (request) => runtime.submit(request),
      read: (accountId) => runtime.read(accountId),
      clock,
      timer: systemTimer,
      log: quiet,
      limits: { ...dueSweepLimits, sweepDueMs: 20, pauseMsMax: 100, asideMsMax: 100, accountsMax: 50 },
    });
  const post = async (runtime: Runtime, accountId: AccountId, key: string, command: Command) => {
    const outcome = await runtime.submit({
      facts: facts(accountId, key, { programId }),
      command,
      deadlineMs: clock.monotonicMs() + 60_000,
    });
    assert.equal(outcome.type, 'posted', key);
  };

  /** Two lots of the day after next, points that stay, and three holds. */
  const fill = (runtime: Runtime, accounts: readonly AccountId[]) =>
    Promise.all(
      accounts.map(async (accountId) => {
        await post(runtime, accountId, 'earn-1', { kind: 'earn', amount: 30, programId, expiry });
        await post(runtime, accountId, 'earn-2', { kind: 'earn', amount: 20, programId, expiry });
        await post(runtime, accountId, 'load', { kind: 'load', amount: 7, programId });
        for (const hold of [1, 2, 3]) {
          await post(runtime, accountId, `hold-${hold}`, { kind: 'hold', amount: 10, programId, expiresInS: HOLD_S });
        }
      }),
    );

  /** Kinds in the order of their versions, and what is wrong with the rows. */
  const historyOf = async (accounts: readonly AccountId[]) => {
    const wrong = await database.sql`
      select account_id, version from (
        select account_id, version, balance_after, row_number() over w as dense, sum(balance_delta) over w as running,
          occurred_at < lag(occurred_at) over w as backwards
        from transactions where account_id = any(${[...accounts]}::uuid[])
        window w as (partition by account_id order by version)
      ) as t where version <> dense or balance_after <> running or backwards`;
    assert.deepEqual([...wrong], []);
    return database.sql`
      select string_agg(kind::text || ' ' || amount, ', ' order by version) as kinds, count(*)::int as postings from (
        select * from transactions where account_id = any(${[...accounts]}::uuid[]) and idempotency_key like 'due %'
      ) as t group by account_id`;
  };
  const nothingIsDue = async () =>
    (await database.sql`select from account_dues where due_at < 'infinity' limit 1`).length === 0;

  it('holds end and lots expire by themselves, of accounts that nobody has in memory', async () => {
    const accounts = Array.from({ length: 120 }, newAccountId);
    const writer = runtimeOf(1);
    await writer.start();
    await fill(writer, accounts);
    await writer.stop(1_000);

    const runtime = runtimeOf(1);
    await runtime.start();
    const sweep = sweepOver(runtime);
    sweep.start();
    await eventually('a few rounds', () => sweep.counters.rounds > 3);
    assert.equal(sweep.counters.postings, 0, 'nothing is due yet');
    aheadMs += (HOLD_S + 1) * 1_000;
    await eventually('the holds are released', () => sweep.counters.postings === 3 * accounts.length);
    aheadMs += 2 * DAY_MS;
    await eventually('everything is posted', nothingIsDue);
    await sweep.stop();
    assert.deepEqual([sweep.counters.asides, sweep.counters.troubles], [0, 0]);
    const kinds = 'release 10, release 10, release 10, expire 50';
    for (const row of await historyOf(accounts)) assert.equal(row['kinds'], kinds);
    for (const accountId of accounts) {
      const state = await runtime.read(accountId);
      assert.deepEqual(
        [state?.balance, state?.held, state?.lots, state?.baseVersion, state?.dueAtMs],
        [7, 0, [], null, null],
      );
    }
    await runtime.stop(1_000);
  });

  it('everything is posted once while backends are killed and the writer is taken over', async () => {
    const accounts = Array.from({ length: 150 }, newAccountId);
    let runtime = runtimeOf(2);
    await runtime.start();
    await fill(runtime, accounts);
    aheadMs += 3 * DAY_MS;
    const olds: { runtime: Runtime; sweep: DueSweep }[] = [];
    let sweep = sweepOver(runtime);
    sweep.start();
    let kills = 0;
    for (let round = 0; round < 6; round++) {
      await pause(40);
      const killed = await database.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = any(array['local-plus ledger', 'test']) and pid <> pg_backend_pid()`;
      kills += killed.length;
      if (round % 3 !== 2) continue;
      olds.push({ runtime, sweep });
      runtime = runtimeOf(2);
      await runtime.start();
      sweep = sweepOver(runtime);
      sweep.start();
    }
    assert.ok(kills > 0, 'backends were killed');
    await eventually('everything is posted', nothingIsDue);
    for (const each of [...olds, { runtime, sweep }]) {
      await each.sweep.stop();
      await each.runtime.stop(500);
    }
    const histories = await historyOf(accounts);
    assert.equal(histories.length, accounts.length);
    for (const row of histories) {
      assert.equal(row['kinds'], 'release 10, release 10, release 10, expire 50');
      assert.equal(row['postings'], 4);
    }
  });
});
