/**
 * The ledger's rows as the auditor reads them: every column, by pages over the primary key, with the checkpoint of the
 * same version beside it. SQL only.
 *
 * The ledger lives on while it is audited. Rows are never changed and a writer's batches come one after the other, so a cut
 * by batch numbers is all that is needed to see one moment of it; a long transaction would keep the database from
 * cleaning up behind the writers.
 */
import type { PostedRow, PostingDetail, TransactionKind } from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  type ProgramId,
  type RequestId,
  type TransactionId,
  transactionId,
} from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import type { DayText } from './root.ts';
import { noAccount } from './snapshots.ts';

export interface AuditRow {
  readonly row: PostedRow;
  readonly transactionId: TransactionId;
  readonly writerId: number;
  /** Batch and place: grows with every row of a writer. */
  readonly position: number;
  /** Its time has no fraction of a millisecond, so that what was hashed is all of it. */
  readonly isWholeMs: boolean;
  /** As it is stored; {@link PostedRow.posting} has what it says. */
  readonly detail: string | null;
  readonly checkpoint: string | null;
}

export interface RowRange {
  /** null: all accounts. */
  readonly accountId: AccountId | null;
  /** Rows of this day and later; null: all. */
  readonly since: DayText | null;
}

const columns = `t.account_id, t.version::text as version, (t.seq >> 53)::int as writer_id,
  (t.seq & 9007199254740991) as position, t.amount, t.balance_delta::text as balance_delta, t.balance_after, t.held_after,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms,
  date_trunc('milliseconds', t.occurred_at) = t.occurred_at as is_whole_ms, t.contra_account_id, t.program_id,
  t.correlation_id, t.kind::text as kind, encode(t.request_hash, 'hex') as request_hash, t.idempotency_key, t.reference,
  t.metadata::text as metadata, t.traceparent, t.reversal_of, t.base_version::text as base_version, t.detail::text as detail,
  encode(t.hash, 'hex') as hash, s.state::text as checkpoint`;

const withCheckpoint = 'left join account_states as s on s.account_id = t.account_id and s.version = t.version';

function pageStatement({ accountId, since }: RowRange): string {
  const conditions = ['(account_id, version) > ($1::uuid, $2::bigint)'];
  if (accountId !== null) conditions.push('account_id = $1::uuid');
  if (since !== null) conditions.push('occurred_at >= $4::timestamptz');
  return `select ${columns} from (
    select * from transactions where ${conditions.join(' and ')} order by account_id, version limit $3::int
  ) as t ${withCheckpoint} order by t.account_id, t.version`;
}

/** Of accounts whose audit begins in the middle: the row before, and what restoring reads to have the state at it. */
const beforeStatement = `
select ${columns}
from unnest($1::uuid[], $2::text[]) as q(account_id, version)
  cross join lateral (select version, base_version from transactions
    where account_id = q.account_id and version < q.version::bigint order by version desc limit 1) as p
  join transactions as t on t.account_id = q.account_id and t.version <= p.version
    and t.version >= greatest(coalesce(p.base_version, p.version), p.version - 64)
  ${withCheckpoint}
order by t.account_id, t.version`;

/** Each writer's newest batch, by one index probe per writer. */
const cutStatement = `
with recursive newest(seq) as (
  select max(seq) from transactions
  union all
  select (select max(seq) from transactions where seq < (newest.seq >> 53) << 53) from newest where newest.seq is not null
)
select (seq >> 53)::int as writer_id, (seq & 9007199254740991) as position from newest where seq is not null`;

interface Row {
  readonly account_id: AccountId;
  readonly version: string;
  readonly writer_id: number;
  readonly position: number;
  readonly amount: number;
  readonly balance_delta: string;
  readonly balance_after: number;
  readonly held_after: number;
  readonly occurred_ms: number;
  readonly is_whole_ms: boolean;
  readonly contra_account_id: AccountId;
  readonly program_id: ProgramId;
  readonly correlation_id: RequestId;
  readonly kind: TransactionKind;
  readonly request_hash: string;
  readonly idempotency_key: IdempotencyKey;
  readonly reference: string | null;
  readonly metadata: string | null;
  readonly traceparent: string | null;
  readonly reversal_of: TransactionId | null;
  readonly base_version: string | null;
  readonly detail: string | null;
  readonly hash: string | null;
  readonly checkpoint: string | null;
}

export class LedgerRows {
  readonly #database: Pick<Database, 'read'>;
  readonly #pageRows: number;
  #cut: ReadonlyMap<number, number> = new Map();

  constructor(database: Pick<Database, 'read'>, pageRows: number) {
    this.#database = database;
    this.#pageRows = pageRows;
  }

  /** From now on rows of later batches are not seen. */
  async cut(): Promise<void> {
    const newest = await this.#database.read<{ writer_id: number; position: number }>(cutStatement);
    // The rest of the newest batch is part of it: a batch is there as a whole.
    this.#cut = new Map(newest.map((writer) => [writer.writer_id, writer.position]));
  }

  /** Whether a place in the ledger is inside the cut. */
  sees(writerId: number, position: number): boolean {
    return position <= (this.#cut.get(writerId) ?? -1);
  }

  /** In the order of account, version. The next page is read while one is looked at. */
  async *pages(range: RowRange): AsyncGenerator<readonly AuditRow[]> {
    const statement = pageStatement(range);
    const read = (accountId: string, version: string): Promise<readonly Row[]> => {
      const parameters = [accountId, version, this.#pageRows];
      return this.#database.read<Row>(
        statement,
        range.since === null ? parameters : [...parameters, `${range.since}T00:00:00Z`],
      );
    };
    let next: Promise<readonly Row[]> | null = read(range.accountId ?? noAccount, '0');
    try {
      while (next !== null) {
        const rows: readonly Row[] = await next;
        const last = rows.at(-1);
        next = last === undefined || rows.length < this.#pageRows ? null : read(last.account_id, last.version);
        // Whoever asks for no further page does not hear of its failure: nobody needs it.
        next?.catch(() => undefined);
        yield rows.filter((row) => this.sees(row.writer_id, row.position)).map(auditRowFrom);
      }
    } finally {
      await next?.catch(() => undefined);
    }
  }

  /** For each of these rows the ones that its account is restored from, up to the one before it; oldest first. */
  async before(rows: readonly AuditRow[]): Promise<ReadonlyMap<AccountId, readonly AuditRow[]>> {
    const found = new Map<AccountId, AuditRow[]>();
    if (rows.length === 0) return found;
    const accounts = rows.map(({ row }) => row.facts.accountId);
    const versions = rows.map(({ row }) => String(row.posting.version));
    for (const row of await this.#database.read<Row>(beforeStatement, [accounts, versions])) {
      const list = found.get(row.account_id);
      if (list === undefined) found.set(row.account_id, [auditRowFrom(row)]);
      else list.push(auditRowFrom(row));
    }
    return found;
  }
}

function auditRowFrom(row: Row): AuditRow {
  const occurredAtMs = row.occurred_ms;
  const detail: unknown = row.detail === null ? null : JSON.parse(row.detail);
  const batch = Math.floor(row.position / 1_024);
  return {
    row: {
      facts: {
        accountId: row.account_id,
        programId: row.program_id,
        idempotencyKey: row.idempotency_key,
        requestHash: row.request_hash,
        requestId: row.correlation_id,
        traceparent: row.traceparent,
        reference: row.reference,
        metadata: row.metadata,
      },
      posting: {
        kind: row.kind,
        amount: row.amount,
        balanceDelta: Number(row.balance_delta),
        contraAccountId: row.contra_account_id,
        version: Number(row.version),
        balanceAfter: row.balance_after,
        heldAfter: row.held_after,
        occurredAtMs,
        baseVersion: row.base_version === null ? null : Number(row.base_version),
        // Of any shape: the machine's own assertions and the chain judge it.
        detail: detail as PostingDetail | null,
        reversalOf: row.reversal_of,
        due: null,
        checkpoint: null,
      },
      hash: row.hash,
    },
    transactionId: transactionId(occurredAtMs, { writerId: row.writer_id, batch, place: row.position % 1_024 }),
    writerId: row.writer_id,
    position: row.position,
    isWholeMs: row.is_whole_ms,
    detail: row.detail,
    checkpoint: row.checkpoint,
  };
}
