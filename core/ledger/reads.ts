/**
 * Reads of the past: pages of an account's transactions, one transaction, the balance at a moment. SQL only.
 *
 * - Every read is bounded by the version that the account's actor knows to be committed, so that what is read here is
 *   never ahead of what the actor shows (I4).
 * - A page goes down from a version and names the one to go on from. Rows that arrive meanwhile have higher versions, and
 *   rows never change, so a walk over the pages neither repeats nor misses one.
 * - The work for a page is bounded, however few rows match: times never run backwards within an account, so the times
 *   asked for are turned into versions by halving, as many index probes as the version has bits; what then has to be
 *   looked at for kind and reference is at most {@link SCAN_VERSIONS_MAX} rows. A page may therefore have fewer rows than
 *   asked for, even none, and still name a version to go on from: the end is where it names none.
 */
import type { StoredTransaction, TransactionKind } from '@local-plus/actors';
import {
  type AccountId,
  decodeTransactionId,
  type IdempotencyKey,
  seqOf,
  type TransactionId,
} from '@local-plus/contracts';
import type { LedgerDatabase, LedgerDatabases } from './databases.ts';
import { type TransactionRow, transactionFrom } from './found.ts';

/** Rows that are looked at for one page: an account's rows are scattered, each may be a page of the disk. */
export const SCAN_VERSIONS_MAX = 1_000;

/** What a page shows; null: everything. */
export interface PageFilter {
  readonly kind: TransactionKind | null;
  /** At this moment or after it, RFC 3339. */
  readonly from: string | null;
  /** Before this moment, RFC 3339. */
  readonly to: string | null;
  /** With exactly this reference. */
  readonly reference: string | null;
}

export const everything: PageFilter = { kind: null, from: null, to: null, reference: null };

export interface Page {
  /** Newest first. */
  readonly rows: readonly StoredTransaction[];
  /** Where the next page begins; null: there is none. */
  readonly nextVersion: number | null;
}

/** Of a row that {@link rowFrom} reads. */
export const columns = `account_id, idempotency_key, version, amount, balance_delta, balance_after, held_after,
  (extract(epoch from occurred_at) * 1000)::bigint as occurred_ms, contra_account_id, program_id, correlation_id,
  kind::text as kind, encode(request_hash, 'hex') as request_hash, seq::text as seq, reference, metadata::text as metadata,
  traceparent, reversal_of, base_version, detail::text as detail, encode(hash, 'hex') as hash`;

const pageStatement = `select ${columns} from transactions
  where account_id = $1::uuid and version <= $2::bigint and version >= $3::bigint
  order by version desc limit $4::int`;

const filteredPageStatement = `select ${columns} from transactions
  where account_id = $1::uuid and version <= $2::bigint and version >= $3::bigint
    and ($5::text is null or kind = $5::text::transaction_kind) and ($6::text is null or reference = $6::text)
  order by version desc limit $4::int`;

const oneStatement = `select ${columns} from transactions where seq = $1::bigint`;

/** The newest version for which `holds` of its time and the moment $3, by halving. */
function searchFor(holds: '<=' | '<'): string {
  return `
with recursive search(low, high) as (
  select 0::bigint, $2::bigint
  union all
  select case when t.occurred_at ${holds} $3::timestamptz then s.middle else s.low end,
    case when t.occurred_at ${holds} $3::timestamptz then s.high else s.middle - 1 end
  from (select low, high, (low + high + 1) / 2 as middle from search where low < high) as s,
    lateral (select occurred_at from transactions where account_id = $1::uuid and version = s.middle) as t
)`;
}

const atStatement = `${searchFor('<=')}
select ${columns} from transactions
where account_id = $1::uuid and version = (select low from search where low = high)`;

const beforeStatement = `${searchFor('<')} select low as version from search where low = high`;

export interface Row extends TransactionRow {
  readonly account_id: AccountId;
  readonly idempotency_key: IdempotencyKey;
}

export class LedgerReads {
  readonly #databases: Pick<LedgerDatabases, 'of' | 'ofWriter'>;

  constructor(databases: Pick<LedgerDatabases, 'of' | 'ofWriter'>) {
    this.#databases = databases;
  }

  /** Newest first, from `versionMax` down. */
  async page(
    accountId: AccountId,
    versionMax: number,
    rowsMax: number,
    filter: PageFilter = everything,
  ): Promise<Page> {
    const { kind, reference } = filter;
    const { pool } = this.#databases.of(accountId);
    const isScan = kind !== null || reference !== null;
    const [newest, beforeOldest] = await Promise.all([
      filter.to === null ? versionMax : this.#before(accountId, versionMax, filter.to),
      filter.from === null ? 0 : this.#before(accountId, versionMax, filter.from),
    ]);
    const oldest = isScan ? Math.max(beforeOldest + 1, newest - SCAN_VERSIONS_MAX + 1) : beforeOldest + 1;
    if (newest < oldest) return { rows: [], nextVersion: null };
    const bounds = [accountId, String(newest), String(oldest), String(rowsMax)];
    const found = isScan
      ? await pool.read<Row>(filteredPageStatement, [...bounds, kind, reference])
      : await pool.read<Row>(pageStatement, bounds);
    const rows = found.map(rowFrom);
    const seenDownTo = rows.length < rowsMax ? oldest : (rows.at(-1)?.posting.version ?? oldest);
    return { rows, nextVersion: seenDownTo > beforeOldest + 1 ? seenDownTo - 1 : null };
  }

  /** The transaction of an id, or null. The id names the row's place; its time has to be the row's, too. */
  async one(id: string): Promise<StoredTransaction | null> {
    const decoded = decodeTransactionId(id);
    if (decoded === null) return null;
    const parameters = [seqOf(decoded.position)];
    const row = await firstFound(this.#databases.ofWriter(decoded.position.writerId), async ({ pool }) => {
      return (await pool.read<Row>(oneStatement, parameters))[0] ?? null;
    });
    const found = row === null ? null : rowFrom(row);
    return found?.transactionId === (id as TransactionId) ? found : null;
  }

  /** The newest transaction that had happened at a moment (RFC 3339), or null. */
  async at(accountId: AccountId, versionMax: number, moment: string): Promise<StoredTransaction | null> {
    const { pool } = this.#databases.of(accountId);
    const rows = await pool.read<Row>(atStatement, [accountId, String(versionMax), moment]);
    return rows[0] ? rowFrom(rows[0]) : null;
  }

  /** The newest version before a moment, at most `versionMax`; 0: none. */
  async #before(accountId: AccountId, versionMax: number, moment: string): Promise<number> {
    const parameters = [accountId, String(versionMax), moment];
    const [row] = await this.#databases.of(accountId).pool.read<{ version: number }>(beforeStatement, parameters);
    return row?.version ?? 0;
  }
}

/**
 * From whichever has it, without waiting for the others. null: none has it; a database that does not answer might.
 *
 * Nobody waits for what is left: a look that fails after the answer is told to nobody.
 */
async function firstFound(
  databases: readonly LedgerDatabase[],
  look: (database: LedgerDatabase) => Promise<Row | null>,
): Promise<Row | null> {
  const [only] = databases;
  if (only !== undefined && databases.length === 1) return look(only);
  const { promise: found, resolve } = Promise.withResolvers<Row>();
  const looks = databases.map(async (database) => {
    const row = await look(database);
    if (row !== null) resolve(row);
  });
  const all = Promise.allSettled(looks).then((ends) => {
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed === undefined) return null;
    throw failed.reason;
  });
  return Promise.race([found, all]);
}

export function rowFrom(row: Row): StoredTransaction {
  return transactionFrom(row, { accountId: row.account_id, idempotencyKey: row.idempotency_key });
}
