/**
 * Reads the ledger as it stands, in one database or in several: SQL, nothing else. One snapshot of each for all questions
 * (repeatable read, read only), and cursors, so that memory is bounded whatever the ledger's size.
 *
 * The reconciler is an auditor: it looks at the tables themselves, because it must not trust the code it judges.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { positionOf, transactionId } from '@local-plus/contracts';
import postgres from 'postgres';
import { limits } from '../limits.ts';
import type { EntryRow, LedgerRow, TransitRow } from './checks.ts';
import { eachTransit, type Sql } from './transit.ts';

export interface LedgerSnapshot {
  /** How many transactions the snapshot of each database holds. */
  counts(): Promise<readonly number[]>;
  /** Nothing was committed in any database between the first snapshot and the last: they are one of all. */
  readonly isOneMoment: boolean;
  /** Database by database, each in the order of `seq`, `leg`. */
  eachEntry(look: (row: EntryRow) => void): Promise<void>;
  /** One per program that has transfers, over all databases. */
  eachTransit(look: (row: TransitRow) => void): Promise<void>;
  /** Database by database, each in the order of account, version. */
  eachRow(look: (row: LedgerRow) => void): Promise<void>;
  eachRefusal(look: (accountId: string, idempotencyKey: string) => void): Promise<void>;
}

export interface Ledger {
  /** Everything that `work` reads is of one moment, as far as {@link LedgerSnapshot.isOneMoment} says. */
  snapshot<Result>(work: (snapshot: LedgerSnapshot) => Promise<Result>): Promise<Result>;
  /** How many transactions there are now. */
  countNow(): Promise<number>;
  close(): Promise<void>;
}

/** @param urls of its databases: each account is in one of them */
export function openLedger(urls: readonly string[]): Ledger {
  const databases = urls.map(connect);
  return {
    async snapshot(work) {
      for (let attempt = 1; ; attempt++) {
        const isLast = attempt >= limits.snapshotTriesMax;
        const answer = await snapshotAll(databases, [], async (all) => {
          const isOneMoment = all.length === 1 || (await isStill(databases, all));
          return isOneMoment || isLast ? { result: await work(snapshotOf(all, isOneMoment)) } : null;
        });
        if (answer !== null) return answer.result;
        await delay(limits.snapshotPauseMs);
      }
    },
    async countNow() {
      return sumOf(await Promise.all(databases.map(countOf)));
    },
    close: async () => void (await Promise.all(databases.map((sql) => sql.end({ timeout: 5 })))),
  };
}

function connect(url: string): postgres.Sql<{ bigint: number }> {
  return postgres(url, {
    max: 2,
    connect_timeout: 10,
    onnotice: () => undefined,
    connection: { application_name: 'reconciler' },
    // Amounts and balances are inside the safe integers; `seq` is not, and is asked for as text.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
}

/** A snapshot of each, one inside the other: all are open while `work` reads. */
async function snapshotAll<Result>(
  [next, ...rest]: readonly postgres.Sql<{ bigint: number }>[],
  open: readonly Sql[],
  work: (all: readonly Sql[]) => Promise<Result | null>,
): Promise<Result | null> {
  if (next === undefined) return work(open);
  const answer = await next.begin('isolation level repeatable read read only', async (transaction) => {
    // The first statement takes the snapshot.
    await batchesOf(transaction);
    return { result: await snapshotAll(rest, [...open, transaction], work) };
  });
  return answer.result;
}

/** Each database has now what its snapshot has: so at the moment of the last one all were as they are seen. */
async function isStill(now: readonly Sql[], seen: readonly Sql[]): Promise<boolean> {
  const then = await Promise.all(seen.map(batchesOf));
  const since = await Promise.all(now.map(batchesOf));
  return then.join() === since.join();
}

/** Committed batches of all writers. */
async function batchesOf(sql: Sql): Promise<string> {
  const [row] = await sql<{ batches: string }[]>`select coalesce(sum(batch), 0)::text as batches from writers`;
  return row?.batches ?? '';
}

interface TransactionColumns {
  readonly account_id: string;
  readonly version: number;
  readonly seq: string;
  readonly kind: string;
  readonly amount: number;
  readonly balance_delta: number;
  readonly balance_after: number;
  readonly held_after: number;
  readonly idempotency_key: string;
  readonly occurred_at_ms: number;
}

function snapshotOf(all: readonly Sql[], isOneMoment: boolean): LedgerSnapshot {
  return {
    isOneMoment,
    counts: () => Promise.all(all.map(countOf)),
    async eachEntry(look) {
      for (const sql of all) {
        const query = sql<
          EntryRow[]
        >`select seq::text, leg, amount from ledger_entries order by ledger_entries.seq, leg`;
        await query.cursor(limits.chunkRows, (rows) => rows.forEach(look));
      }
    },
    eachTransit: (look) => eachTransit(all, look),
    async eachRow(look) {
      for (const sql of all) {
        const query = sql<TransactionColumns[]>`
          select account_id, version, seq::text, kind::text, amount, balance_delta, balance_after, held_after,
                 idempotency_key, (extract(epoch from occurred_at) * 1000)::bigint as occurred_at_ms
          from transactions order by account_id, version`;
        await query.cursor(limits.chunkRows, (rows) => {
          for (const row of rows) look(ledgerRow(row));
        });
      }
    },
    async eachRefusal(look) {
      for (const sql of all) {
        const query = sql<{ account_id: string; idempotency_key: string }[]>`
          select account_id, idempotency_key from refusals`;
        await query.cursor(limits.chunkRows, (rows) => {
          for (const row of rows) look(row.account_id, row.idempotency_key);
        });
      }
    },
  };
}

async function countOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*) as count from transactions`;
  if (row === undefined) throw new Error('count(*) always answers with one row');
  return row.count;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function ledgerRow(row: TransactionColumns): LedgerRow {
  return {
    accountId: row.account_id,
    version: row.version,
    transactionId: transactionId(row.occurred_at_ms, positionOf(row.seq)),
    kind: row.kind,
    amount: row.amount,
    balanceDelta: row.balance_delta,
    balanceAfter: row.balance_after,
    heldAfter: row.held_after,
    idempotencyKey: row.idempotency_key,
    occurredAt: new Date(row.occurred_at_ms).toISOString(),
  };
}
