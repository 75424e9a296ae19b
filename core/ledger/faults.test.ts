/**
 * The runtime on a real Postgres that is hurt while clients with retries move points. Afterwards the tables must hold
 * exactly what was answered: nothing lost (I3), nothing twice (I3), versions dense and balances right (I2).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Outcome, Runtime, runtimeLimits } from '@local-plus/actors';
import { type AccountId, type IdempotencyKey, type ProgramId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

const programId = uuidV7<ProgramId>(Date.now());
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const TRIES_MAX = 2_000;

function connect(database: TestDatabase, writerId: number): Runtime {
  return new Runtime({
    store: new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults }),
    clock: systemClock,
    timer: systemTimer,
    log: quiet,
    writerId,
    // A second batch follows whatever is ready: as many as possible are in the air when things break.
    limits: { ...runtimeLimits, overlapCommandsMin: 1 },
  });
}

interface Answered {
  readonly accountId: AccountId;
  readonly key: string;
  readonly outcome: Outcome;
}

/** One client: earns and burns one after the other, each retried with its key until it is known. */
async function client(runtime: () => Runtime, accounts: readonly AccountId[], commands: number): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (let number = 0; number < commands; number++) {
    const accountId = accounts[(number * 7) % accounts.length] as AccountId;
    const kind = number % 3 === 2 ? 'burn' : 'earn';
    const key = uuidV7(Date.now());
    const facts = {
      accountId,
      programId,
      idempotencyKey: key as string as IdempotencyKey,
      requestHash: kind === 'earn' ? 'a'.repeat(32) : 'b'.repeat(32),
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      reference: null,
      metadata: null,
    };
    for (let attempt = 1; ; attempt++) {
      assert.ok(attempt < TRIES_MAX, 'the ledger never settled');
      const deadlineMs = performance.now() + 1_000;
      const outcome = await runtime().submit({ facts, command: { kind, amount: 3, programId }, deadlineMs });
      if (outcome.type === 'posted' || outcome.type === 'refused') {
        answered.push({ accountId, key, outcome });
        break;
      }
      assert.ok(outcome.type === 'unavailable' || outcome.type === 'expired', `unexpected ${outcome.type}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return answered;
}

async function verify(database: TestDatabase, accounts: readonly AccountId[], answered: readonly Answered[]) {
  const posted = answered.filter(({ outcome }) => outcome.type === 'posted');
  const [rows] = await database.sql`
    select count(*)::int as rows, count(distinct idempotency_key)::int as keys from transactions
    where account_id = any(${[...accounts]}::uuid[])`;
  assert.deepEqual(rows, { rows: posted.length, keys: posted.length });
  const [refusals] = await database.sql`
    select count(*)::int as rows from refusals where account_id = any(${[...accounts]}::uuid[])`;
  assert.equal(refusals?.['rows'], answered.length - posted.length);
  const wrong = await database.sql`
    select account_id, version from (
      select account_id, version, balance_after, balance_delta,
        row_number() over w as dense, sum(balance_delta) over w as running
      from transactions where account_id = any(${[...accounts]}::uuid[])
      window w as (partition by account_id order by version)
    ) as t where version <> dense or balance_after <> running or balance_after < 0`;
  assert.deepEqual([...wrong], []);
  const wanted = new Map(posted.map(({ key, outcome }) => [key, outcome]));
  for (const row of await database.sql`
    select idempotency_key, version::int as version, balance_after::int as balance_after from transactions
    where account_id = any(${[...accounts]}::uuid[])`) {
    const outcome = wanted.get(row['idempotency_key']);
    assert.ok(outcome?.type === 'posted', `a row that nobody was told of: ${row['idempotency_key']}`);
    assert.equal(outcome.row.posting.version, row['version']);
    assert.equal(outcome.row.posting.balanceAfter, row['balance_after']);
  }
}

describe('the ledger on a Postgres in trouble', () => {
  let database: TestDatabase;
  before(async () => {
    database = await startDatabase();
  });
  after(() => database.close());

  const newAccounts = (count: number) => Array.from({ length: count }, () => uuidV7<AccountId>(Date.now()));

  it('survives its backend being killed again and again', async () => {
    const accounts = newAccounts(5);
    const runtime = connect(database, 11);
    await runtime.start();
    let working = true;
    const killer = (async () => {
      let kills = 0;
      while (working) {
        const killed = await database.sql`
          select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'local-plus ledger'`;
        kills += killed.length;
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      return kills;
    })();
    const answered = (await Promise.all(Array.from({ length: 16 }, () => client(() => runtime, accounts, 120)))).flat();
    working = false;
    assert.ok((await killer) > 3, 'backends were killed while it worked');
    assert.ok(runtime.status.counters.unknownOutcomes > 0, 'and it met unknown outcomes');
    await runtime.stop(1_000);
    await verify(database, accounts, answered);
  });

  it('survives Postgres stopped at once and started again: refuses meanwhile, recovers by itself', async () => {
    const accounts = newAccounts(5);
    const runtime = connect(database, 12);
    await runtime.start();
    let working = true;
    const breaker = (async () => {
      for (let round = 0; round < 2 && working; round++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await database.server.stopImmediately();
        await new Promise((resolve) => setTimeout(resolve, 200));
        await database.server.start();
      }
    })();
    const clients = Array.from({ length: 16 }, () => client(() => runtime, accounts, 150));
    const answered = (await Promise.all(clients)).flat();
    working = false;
    await breaker;
    assert.equal(runtime.status.lane, 'running');
    await runtime.stop(1_000);
    await verify(database, accounts, answered);
  });

  it('I7: a writer that was superseded under load writes nothing more, and its clients finish elsewhere', async () => {
    const accounts = newAccounts(5);
    let current = connect(database, 13);
    await current.start();
    const clients = Array.from({ length: 8 }, () => client(() => current, accounts, 200));
    const olds: Runtime[] = [];
    for (let takeover = 0; takeover < 5; takeover++) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      const successor = connect(database, 13);
      await successor.start();
      olds.push(current);
      current = successor;
    }
    const answered = (await Promise.all(clients)).flat();
    await verify(database, accounts, answered);
    for (const old of olds) assert.notEqual((await old.submit(stale(accounts))).type, 'posted');
    for (const runtime of [...olds, current]) await runtime.stop(500);
    await verify(database, accounts, answered);
  });

  it('one command that Postgres refuses fails alone', async () => {
    const [accountId, bystander] = newAccounts(2) as [AccountId, AccountId];
    const runtime = connect(database, 14);
    await runtime.start();
    const bad = stale([accountId], 'a\0b');
    const outcomes = await Promise.all([runtime.submit(bad), client(() => runtime, [bystander], 5)]);
    assert.equal(outcomes[0].type, 'failed');
    await runtime.stop(500);
    await verify(database, [accountId, bystander], outcomes[1]);
  });
});

function stale(accounts: readonly AccountId[], reference: string | null = null) {
  return {
    facts: {
      accountId: accounts[0] as AccountId,
      programId,
      idempotencyKey: 'stale' as IdempotencyKey,
      requestHash: 'c'.repeat(32),
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      reference,
      metadata: null,
    },
    command: { kind: 'earn' as const, amount: 1, programId },
    deadlineMs: performance.now() + 1_000,
  };
}
