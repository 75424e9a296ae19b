/**
 * One database transaction per request, the account's row locked for its length:
 *
 *     BEGIN · SELECT … FOR UPDATE · key look-up · INSERT transaction · INSERT 2 entries · UPDATE balance
 *     · INSERT outbox · COMMIT
 *
 * Both entries go in one statement, and the account is locked before the key is looked up.
 */
import { uuidV7 } from '@local-plus/contracts';
import type postgres from 'postgres';
import {
  type AccountColumns,
  type Answer,
  CONTRA_ACCOUNT,
  connect,
  deltaOf,
  type Posting,
  type RivalLedger,
  replayOf,
  requestHash,
  type TransactionColumns,
  wireOf,
} from './rival-ledger.ts';

type Transaction = postgres.TransactionSql<{ bigint: number }>;

export function openRowLockLedger(databaseUrl: string, connectionsMax: number): RivalLedger {
  const sql = connect(databaseUrl, 'row-lock', connectionsMax);
  return {
    async post(posting) {
      const answer = await sql.begin(async (transaction) => ({ answer: await postIn(transaction, posting) }));
      return answer.answer;
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

async function postIn(sql: Transaction, posting: Posting): Promise<Answer> {
  const { accountId, idempotencyKey } = posting;
  const asked = requestHash(posting);
  const [account] = await sql<AccountColumns[]>`
    select program_id, balance, held, version from accounts where id = ${accountId} for update`;
  if (account === undefined) return { type: 'refused', code: 'not_found' };
  const [known] = await sql<TransactionColumns[]>`
    select id, version, balance_after, held_after, request_hash, created_at
    from transactions where account_id = ${accountId} and idempotency_key = ${idempotencyKey}`;
  if (known !== undefined) return replayOf(posting, known, asked);
  const balance = account.balance + deltaOf(posting);
  if (balance - account.held < 0) return { type: 'refused', code: 'insufficient_funds' };
  const nowMs = Date.now();
  const row: TransactionColumns = {
    id: uuidV7(nowMs),
    version: account.version + 1,
    balance_after: balance,
    held_after: account.held,
    request_hash: asked,
    created_at: new Date(nowMs),
  };
  await write(sql, posting, account, row);
  return { type: 'posted', replayed: false, transaction: wireOf(posting, row) };
}

async function write(
  sql: Transaction,
  posting: Posting,
  account: AccountColumns,
  row: TransactionColumns,
): Promise<void> {
  const { accountId, kind, body, idempotencyKey, requestId } = posting;
  const delta = deltaOf(posting);
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
