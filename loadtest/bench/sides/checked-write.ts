/**
 * The one statement of the sides without a lock: everything is written if the account still has the version that was
 * decided upon and the key is new, and nothing otherwise. Committed by itself.
 */
import { uuidV7 } from '@local-plus/contracts';
import {
  type AccountColumns,
  CONTRA_ACCOUNT,
  deltaOf,
  type Posting,
  type Sql,
  type TransactionColumns,
  wireOf,
} from './rival-ledger.ts';

export interface CheckedWrite {
  /** The transaction, if it was written. */
  readonly written: TransactionColumns | null;
  /** What the key was used for before. */
  readonly known: TransactionColumns | null;
}

interface CheckedRow extends Partial<TransactionColumns> {
  readonly was_written: boolean;
}

/** Neither written nor known: another request changed the account. */
export async function writeChecked(
  sql: Sql,
  posting: Posting,
  account: AccountColumns,
  asked: Buffer,
): Promise<CheckedWrite> {
  const { accountId, kind, body, idempotencyKey, requestId } = posting;
  const delta = deltaOf(posting);
  const nowMs = Date.now();
  const row: TransactionColumns = {
    id: uuidV7(nowMs),
    version: account.version + 1,
    balance_after: account.balance + delta,
    held_after: account.held,
    request_hash: asked,
    created_at: new Date(nowMs),
  };
  const metadata = body.metadata === undefined ? null : sql.json(body.metadata);
  const event = sql.json({ ...wireOf(posting, row), program_id: account.program_id, balance_delta: delta });
  const [found] = await sql<CheckedRow[]>`
    with known as (
      select id, version, balance_after, held_after, request_hash, created_at
      from transactions where account_id = ${accountId} and idempotency_key = ${idempotencyKey}
    ), moved as (
      update accounts set balance = ${row.balance_after}, version = ${row.version}, updated_at = ${row.created_at}
      where id = ${accountId} and version = ${account.version} and not exists (select from known)
      returning id
    ), posted as (
      insert into transactions (id, account_id, version, kind, amount, balance_after, held_after, idempotency_key,
                                request_hash, correlation_id, reference, metadata, created_at)
      select ${row.id}::uuid, id, ${row.version}::bigint, ${kind}::text, ${body.amount}::bigint, ${row.balance_after}::bigint,
             ${row.held_after}::bigint, ${idempotencyKey}::text, ${asked}::bytea, ${requestId}::uuid,
             ${body.reference ?? null}::text, ${metadata}::json, ${row.created_at}::timestamptz
      from moved
    ), legs as (
      insert into entries (transaction_id, account_id, amount, created_at)
      select ${row.id}::uuid, leg.account_id, leg.amount, ${row.created_at}::timestamptz
      from moved, (values (${accountId}::uuid, ${delta}::bigint), (${CONTRA_ACCOUNT}::uuid, ${-delta}::bigint))
        as leg (account_id, amount)
    ), announced as (
      insert into outbox (aggregate_type, aggregate_id, event_type, payload, created_at)
      select 'account', id, 'ledger.transaction.posted', ${event}::jsonb, ${row.created_at}::timestamptz from moved
    )
    select exists (select from moved) as was_written, known.* from (values (1)) as one left join known on true`;
  if (found?.was_written === true) return { written: row, known: null };
  return { written: null, known: found !== undefined && isWhole(found) ? found : null };
}

function isWhole(row: CheckedRow): row is CheckedRow & TransactionColumns {
  return row.id !== undefined && row.id !== null;
}
