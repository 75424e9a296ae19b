/**
 * What the other sides' ledgers have in common: what is asked, what is answered, how the driver is set.
 *
 * Each is written as a careful engineer would write it with the same driver: prepared statements, a pool of the best size,
 * the Idempotency-Key looked up where two requests with one key cannot race.
 */
import { hash } from 'node:crypto';
import type { wallets } from '@local-plus/contracts';
import postgres from 'postgres';

export type RivalName = 'row-lock' | 'procedure' | 'version-check' | 'queue';

export interface Posting {
  readonly accountId: string;
  readonly kind: 'earn' | 'burn';
  readonly body: wallets.Post;
  readonly idempotencyKey: string;
  readonly requestId: string;
}

/** `overloaded`: nothing happened; too many others wanted the same account. */
export type RefusedFor = 'not_found' | 'insufficient_funds' | 'idempotency_key_reused' | 'overloaded';

export type Answer =
  | { readonly type: 'posted'; readonly transaction: wallets.Transaction; readonly replayed: boolean }
  | { readonly type: 'refused'; readonly code: RefusedFor };

export interface RivalLedger {
  /** Rejects when the outcome is not known. */
  post(posting: Posting): Promise<Answer>;
  close(): Promise<void>;
}

export interface AccountColumns {
  readonly program_id: string;
  readonly balance: number;
  readonly held: number;
  readonly version: number;
}

export interface TransactionColumns {
  readonly id: string;
  readonly version: number;
  readonly balance_after: number;
  readonly held_after: number;
  readonly request_hash: Uint8Array;
  readonly created_at: Date;
}

/** The account on the other side; the same for all, and never locked. */
export const CONTRA_ACCOUNT = '00000000-0000-8000-8000-000000000001';

export type Sql = postgres.Sql<{ bigint: number }>;

export function connect(databaseUrl: string, name: RivalName, connectionsMax: number): Sql {
  return postgres(databaseUrl, {
    max: connectionsMax,
    // Between its rounds the pool shrinks: the sides share one server's connections. The warm-up fills it again.
    idle_timeout: 2,
    onnotice: () => undefined,
    fetch_types: false,
    connection: {
      application_name: name,
      jit: 'off',
      plan_cache_mode: 'force_generic_plan',
      statement_timeout: 10_000,
    },
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
}

/** 128 bits over what the request asks. */
export function requestHash({ kind, body }: Posting): Buffer {
  const text = JSON.stringify([kind, body.amount, body.reference ?? null, body.metadata ?? null]);
  return Buffer.from(hash('sha256', text, 'buffer').subarray(0, 16));
}

export function deltaOf({ kind, body }: Posting): number {
  return kind === 'earn' ? body.amount : -body.amount;
}

/** What a key that was used before gives: its outcome, or the news that it belongs to another request. */
export function replayOf(posting: Posting, known: TransactionColumns, asked: Buffer): Answer {
  if (!asked.equals(known.request_hash)) return { type: 'refused', code: 'idempotency_key_reused' };
  return { type: 'posted', replayed: true, transaction: wireOf(posting, known) };
}

export function wireOf({ accountId, kind, body }: Posting, row: TransactionColumns): wallets.Transaction {
  return {
    id: row.id,
    wallet_id: accountId,
    kind,
    amount: body.amount,
    unit: 'PTS',
    balance_after: row.balance_after,
    held_after: row.held_after,
    version: row.version,
    reference: body.reference ?? null,
    reversal_of: null,
    metadata: body.metadata ?? null,
    created_at: row.created_at.toISOString(),
  };
}
