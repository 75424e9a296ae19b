/**
 * Reads the ledger as it stands: SQL, nothing else. One snapshot for all questions (repeatable read, read only), and
 * cursors, so that memory is bounded whatever the ledger's size.
 *
 * The reconciler is an auditor: it looks at the tables themselves, because it must not trust the code it judges.
 */
import { positionOf, transactionId } from '@local-plus/contracts';
import postgres from 'postgres';
import { limits } from '../limits.ts';
import type { EntryRow, LedgerRow, TransitRow } from './checks.ts';

export interface LedgerSnapshot {
  /** How many transactions the snapshot holds. */
  count(): Promise<number>;
  /** In the order of `seq`, `leg`. */
  eachEntry(look: (row: EntryRow) => void): Promise<void>;
  /** One per program that has transfers. */
  eachTransit(look: (row: TransitRow) => void): Promise<void>;
  /** In the order of account, version. */
  eachRow(look: (row: LedgerRow) => void): Promise<void>;
  eachRefusal(look: (accountId: string, idempotencyKey: string) => void): Promise<void>;
}

export interface Ledger {
  /** Everything that `work` reads is of one moment. */
  snapshot<Result>(work: (snapshot: LedgerSnapshot) => Promise<Result>): Promise<Result>;
  /** How many transactions there are now. */
  countNow(): Promise<number>;
  close(): Promise<void>;
}

export function openLedger(databaseUrl: string): Ledger {
  const sql = postgres(databaseUrl, {
    max: 2,
    connect_timeout: 10,
    onnotice: () => undefined,
    connection: { application_name: 'reconciler' },
    // Amounts and balances are inside the safe integers; `seq` is not, and is asked for as text.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
  return {
    async snapshot(work) {
      const answer = await sql.begin('isolation level repeatable read read only', async (transaction) => ({
        result: await work(snapshotOf(transaction)),
      }));
      return answer.result;
    },
    async countNow() {
      return await countOf(sql);
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

type Sql = Pick<postgres.Sql<{ bigint: number }>, 'unsafe'> & postgres.ISql<{ bigint: number }>;

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

function snapshotOf(sql: Sql): LedgerSnapshot {
  return {
    count: () => countOf(sql),
    async eachEntry(look) {
      const query = sql<EntryRow[]>`select seq::text, leg, amount from ledger_entries order by ledger_entries.seq, leg`;
      await query.cursor(limits.chunkRows, (rows) => rows.forEach(look));
    },
    async eachTransit(look) {
      // A program's transit account is its id as version 8 with the role in the last byte (contracts/ids.ts).
      const query = sql<TransitRow[]>`
        with moved as (
          select program_id, -sum(balance_delta) as transit from transactions
          where kind in ('transfer_out', 'transfer_in', 'reverse') and contra_account_id = ((
              left(program_id::text, 14) || '8' || substr(program_id::text, 16, 19) || '05')::uuid)
          group by program_id
        ), open as (
          select t.program_id, sum(t.amount) as open, count(*) as open_count
          from open_transfers as o join transactions as t on t.account_id = o.account_id and t.version = o.version
          where not exists (select 1 from transactions as a where a.account_id = (t.detail ->> 'partner')::uuid
              and a.idempotency_key = 'transfer ' || t.account_id::text || ' ' || t.idempotency_key)
            and not exists (select 1 from transactions as r where r.account_id = t.account_id
              and r.idempotency_key = 'return ' || t.idempotency_key)
          group by t.program_id
        )
        select program_id as "programId", coalesce(transit, 0)::bigint as transit, coalesce(open, 0)::bigint as open,
          coalesce(open_count, 0) as "openCount"
        from moved full join open using (program_id)`;
      for (const row of await query) look(row);
    },
    async eachRow(look) {
      const query = sql<TransactionColumns[]>`
        select account_id, version, seq::text, kind::text, amount, balance_delta, balance_after, held_after,
               idempotency_key, (extract(epoch from occurred_at) * 1000)::bigint as occurred_at_ms
        from transactions order by account_id, version`;
      await query.cursor(limits.chunkRows, (rows) => {
        for (const row of rows) look(ledgerRow(row));
      });
    },
    async eachRefusal(look) {
      const query = sql<{ account_id: string; idempotency_key: string }[]>`
        select account_id, idempotency_key from refusals`;
      await query.cursor(limits.chunkRows, (rows) => {
        for (const row of rows) look(row.account_id, row.idempotency_key);
      });
    },
  };
}

async function countOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*) as count from transactions`;
  if (row === undefined) throw new Error('count(*) always answers with one row');
  return row.count;
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
