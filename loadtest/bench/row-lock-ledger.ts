/**
 * The other side's ledger: one database transaction per request, the account's row locked for its length.
 *
 *     BEGIN · SELECT … FOR UPDATE · key look-up · INSERT transaction · INSERT 2 entries · UPDATE balance
 *     · INSERT outbox · COMMIT
 *
 * As a careful engineer would write it with the same driver: prepared statements, a pool of the best size, both entries
 * in one statement, the account locked before the key is looked up (so that two requests with one key cannot race).
 */
import { hash } from 'node:crypto';
import { uuidV7, type wallets } from '@local-plus/contracts';
import postgres from 'postgres';

export type Answer =
  | { readonly type: 'posted'; readonly transaction: wallets.Transaction; readonly replayed: boolean }
  | { readonly type: 'refused'; readonly code: 'not_found' | 'insufficient_funds' | 'idempotency_key_reused' };

export interface Posting {
  readonly accountId: string;
  readonly kind: 'earn' | 'burn';
  readonly body: wallets.Post;
  readonly idempotencyKey: string;
  readonly requestId: string;
}

export interface RowLockLedger {
  post(posting: Posting): Promise<Answer>;
  close(): Promise<void>;
}

interface AccountColumns {
  readonly program_id: string;
  readonly balance: number;
  readonly held: number;
  readonly version: number;
}

interface TransactionColumns {
  readonly id: string;
  readonly version: number;
  readonly balance_after: number;
  readonly held_after: number;
  readonly request_hash: Uint8Array;
  readonly created_at: Date;
}

/** The account on the other side; the same for all, and never locked. */
const CONTRA_ACCOUNT = '00000000-0000-8000-8000-000000000001';

type Sql = postgres.Sql<{ bigint: number }>;
type Transaction = postgres.TransactionSql<{ bigint: number }>;

export function openRowLockLedger(databaseUrl: string, connectionsMax: number): RowLockLedger {
  const sql: Sql = postgres(databaseUrl, {
    max: connectionsMax,
    // Between its rounds the pool shrinks: the sides share one server's connections. The warm-up fills it again.
    idle_timeout: 2,
    onnotice: () => undefined,
    fetch_types: false,
    connection: { application_name: 'row-lock', jit: 'off', plan_cache_mode: 'force_generic_plan' },
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
  });
  return {
    async post(posting) {
      const answer = await sql.begin(async (transaction) => ({ answer: await postIn(transaction, posting) }));
      return answer.answer;
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

async function postIn(sql: Transaction, posting: Posting): Promise<Answer> {
  const { accountId, kind, body, idempotencyKey } = posting;
  const requestHash = Buffer.from(
    hash(
      'sha256',
      JSON.stringify([kind, body.amount, body.reference ?? null, body.metadata ?? null]),
      'buffer',
    ).subarray(0, 16),
  );
  const [account] = await sql<AccountColumns[]>`
    select program_id, balance, held, version from accounts where id = ${accountId} for update`;
  if (account === undefined) return { type: 'refused', code: 'not_found' };
  const [known] = await sql<TransactionColumns[]>`
    select id, version, balance_after, held_after, request_hash, created_at
    from transactions where account_id = ${accountId} and idempotency_key = ${idempotencyKey}`;
  if (known !== undefined) {
    if (!requestHash.equals(known.request_hash)) return { type: 'refused', code: 'idempotency_key_reused' };
    return { type: 'posted', replayed: true, transaction: wireOf(posting, known) };
  }
  const delta = kind === 'earn' ? body.amount : -body.amount;
  const balance = account.balance + delta;
  if (balance - account.held < 0) return { type: 'refused', code: 'insufficient_funds' };
  const nowMs = Date.now();
  const row: TransactionColumns = {
    id: uuidV7(nowMs),
    version: account.version + 1,
    balance_after: balance,
    held_after: account.held,
    request_hash: requestHash,
    created_at: new Date(nowMs),
  };
  await write(sql, posting, account, row, delta);
  return { type: 'posted', replayed: false, transaction: wireOf(posting, row) };
}

async function write(
  sql: Transaction,
  posting: Posting,
  account: AccountColumns,
  row: TransactionColumns,
  delta: number,
): Promise<void> {
  const { accountId, kind, body, idempotencyKey, requestId } = posting;
  const metadata = body.metadata === undefined ? null : sql.json(body.metadata);
  await sql`
    insert into transactions (id, account_id, version, kind, amount, balance_after, held_after, idempotency_key,
                              request_hash, correlation_id, reference, metadata, created_at)
    values (${row.id}, ${accountId}, ${row.version}, ${kind}, ${body.amount}, ${row.balance_after}, ${row.held_after},
            ${idempotencyKey}, ${row.request_hash}, ${requestId}, ${body.reference ?? null}, ${metadata},
            ${row.created_at})`;
  await sql`
    insert into entries (transaction_id, account_id, amount, created_at)
    values (${row.id}, ${accountId}, ${delta}, ${row.created_at}),
           (${row.id}, ${CONTRA_ACCOUNT}, ${-delta}, ${row.created_at})`;
  await sql`
    update accounts set balance = ${row.balance_after}, version = ${row.version}, updated_at = ${row.created_at}
    where id = ${accountId}`;
  await sql`
    insert into outbox (aggregate_type, aggregate_id, event_type, payload, created_at)
    values ('account', ${accountId}, 'ledger.transaction.posted',
            ${sql.json({ ...wireOf(posting, row), program_id: account.program_id, balance_delta: delta })},
            ${row.created_at})`;
}

function wireOf({ accountId, kind, body }: Posting, row: TransactionColumns): wallets.Transaction {
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
