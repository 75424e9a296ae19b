/**
 * The runtime on a real Postgres, clients with retries, and the comparison of what they were answered with the tables:
 * what the tests that hurt Postgres, or the wire to it, have in common.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { type AccountRequest, type Clock, type Outcome, type Runtime, runtimeLimits } from '@local-plus/actors';
import { type AccountId, type IdempotencyKey, type ProgramId, type RequestId, uuidV7 } from '@local-plus/contracts';
import type postgres from 'postgres';
import { sha256Hex128 } from '../../platform/digest/index.ts';
import { systemClock } from '../../platform/time/index.ts';
import { runtimeOn } from '../../test/runtime.ts';
import { PostgresLedgerStore, type PostgresStoreOptions, storeDefaults } from '../store.ts';

const programId = uuidV7<ProgramId>(Date.now());
const TRIES_MAX = 2_000;
/** Of a client that asks again: its command is late now and then, and told so. */
const TRY_MS = 1_000;
/** Of a command that is asked once: a guard against hanging, longer than any trouble that a test makes. */
const ONCE_MS = 60_000;
/** What says nothing of the command but that it has to be asked again. */
const AGAIN: ReadonlySet<Outcome['type']> = new Set(['unavailable', 'expired', 'overloaded']);

export interface ConnectOptions extends Partial<Omit<PostgresStoreOptions, 'databaseUrl'>> {
  /** By default the real one. */
  readonly clock?: Clock;
}

export function connect(databaseUrl: string, writerId: number, options: ConnectOptions = {}): Runtime {
  const { clock = systemClock, ...times } = options;
  return runtimeOn(new PostgresLedgerStore({ ...storeDefaults, ...times, databaseUrl }), writerId, {
    clock,
    // A second batch follows whatever is ready: as many as possible are in the air when things break.
    limits: { ...runtimeLimits, overlapCommandsMin: 1 },
  });
}

export interface Answered {
  readonly accountId: AccountId;
  readonly key: string;
  readonly outcome: Outcome;
}

/** One client: earns and burns one after the other, each retried with its key until it is known. */
export async function client(
  runtime: () => Runtime,
  accounts: readonly AccountId[],
  commands: number,
): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (let number = 0; number < commands; number++) {
    const accountId = accounts[(number * 7) % accounts.length] as AccountId;
    const kind = number % 3 === 2 ? 'burn' : 'earn';
    const key = uuidV7(Date.now());
    for (let attempt = 1; ; attempt++) {
      assert.ok(attempt < TRIES_MAX, 'the ledger never settled');
      const request = requestOf(accountId, kind, 3, key);
      const outcome = await runtime().submit({ ...request, deadlineMs: performance.now() + TRY_MS });
      if (!isAgain(outcome)) {
        assert.ok(outcome.type === 'posted' || outcome.type === 'refused', `unexpected ${outcome.type}`);
        answered.push({ accountId, key, outcome });
        break;
      }
      await pause(20);
    }
  }
  return answered;
}

/** It says nothing of the command: the same key has to be asked again. */
export function isAgain(outcome: Outcome): boolean {
  return AGAIN.has(outcome.type);
}

export async function verify(
  database: { readonly sql: postgres.Sql },
  accounts: readonly AccountId[],
  answered: readonly Answered[],
): Promise<void> {
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

/** Due long after it is answered, unless its store stays away. */
export function requestOf(
  accountId: AccountId,
  kind: 'earn' | 'burn',
  amount: number,
  key: string,
  reference: string | null = null,
): AccountRequest {
  return {
    facts: {
      accountId,
      programId,
      idempotencyKey: key as IdempotencyKey,
      requestHash: sha256Hex128(`${kind} ${amount}`),
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      reference,
      metadata: null,
    },
    command: kind === 'earn' ? { kind, amount, programId, expiry: null } : { kind, amount, programId },
    deadlineMs: performance.now() + ONCE_MS,
  };
}

export function newAccounts(count: number): AccountId[] {
  return Array.from({ length: count }, () => uuidV7<AccountId>(Date.now()));
}
