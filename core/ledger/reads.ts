/**
 * Reads of the past: pages of an account's transactions, one transaction, the balance at a moment. SQL only.
 *
 * Every read is bounded by the version that the account's actor knows to be committed, so that what is read here is
 * never ahead of what the actor shows (I4).
 */
import type { StoredTransaction } from '@local-plus/actors';
import {
  type AccountId,
  decodeTransactionId,
  type IdempotencyKey,
  seqOf,
  type TransactionId,
} from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { type FoundRow, outcomeFrom } from './store.ts';

const columns = `1 as what, 1 as n, account_id, idempotency_key, version, amount, balance_delta, balance_after, held_after,
  (extract(epoch from occurred_at) * 1000)::bigint as occurred_ms, contra_account_id, program_id, correlation_id,
  kind::text as kind, encode(request_hash, 'hex') as request_hash, seq::text as seq, reference, metadata::text as metadata,
  traceparent`;

const pageStatement = `select ${columns} from transactions
  where account_id = $1::uuid and version <= $2::bigint order by version desc limit $3::int`;

const oneStatement = `select ${columns} from transactions where seq = $1::bigint`;

/**
 * Times never run backwards within an account, so the newest version at a moment is found by halving: as many index
 * probes as the version has bits, however long the history is.
 */
const atStatement = `
with recursive search(low, high) as (
  select 0::bigint, $2::bigint
  union all
  select case when t.occurred_at <= $3::timestamptz then s.middle else s.low end,
    case when t.occurred_at <= $3::timestamptz then s.high else s.middle - 1 end
  from (select low, high, (low + high + 1) / 2 as middle from search where low < high) as s,
    lateral (select occurred_at from transactions where account_id = $1::uuid and version = s.middle) as t
)
select ${columns} from transactions
where account_id = $1::uuid and version = (select low from search where low = high)`;

interface Row extends FoundRow {
  readonly account_id: AccountId;
  readonly idempotency_key: IdempotencyKey;
}

export class LedgerReads {
  readonly #database: Pick<Database, 'read'>;

  constructor(database: Pick<Database, 'read'>) {
    this.#database = database;
  }

  /** Newest first, from `versionMax` down. */
  async page(accountId: AccountId, versionMax: number, rowsMax: number): Promise<StoredTransaction[]> {
    const rows = await this.#database.read<Row>(pageStatement, [accountId, String(versionMax), String(rowsMax)]);
    return rows.map(transactionFrom);
  }

  /** The transaction of an id, or null. The id names the row's place; its time has to be the row's, too. */
  async one(id: string): Promise<StoredTransaction | null> {
    const decoded = decodeTransactionId(id);
    if (decoded === null) return null;
    const rows = await this.#database.read<Row>(oneStatement, [seqOf(decoded.position)]);
    const found = rows[0] ? transactionFrom(rows[0]) : null;
    return found?.transactionId === (id as TransactionId) ? found : null;
  }

  /** The newest transaction that had happened at a moment (RFC 3339), or null. */
  async at(accountId: AccountId, versionMax: number, moment: string): Promise<StoredTransaction | null> {
    const rows = await this.#database.read<Row>(atStatement, [accountId, String(versionMax), moment]);
    return rows[0] ? transactionFrom(rows[0]) : null;
  }
}

function transactionFrom(row: Row): StoredTransaction {
  const outcome = outcomeFrom(row, { accountId: row.account_id, idempotencyKey: row.idempotency_key });
  if (outcome.type !== 'posted') throw new Error('a row of transactions is a transaction');
  return outcome;
}
