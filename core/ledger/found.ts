/**
 * Rows of the ledger's tables as the machine and the runtime know them: outcomes of keys, accounts' records.
 *
 * Reads what `statements.ts` and `reads.ts` select; knows no SQL and no connection.
 */
import type {
  AccountHead,
  AccountRecord,
  Findings,
  LookUps,
  Posting,
  PostingDetail,
  RefusalCode,
  StoredOutcome,
  StoredRefusal,
  StoredTransaction,
  TransactionKind,
} from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  type ProgramId,
  positionOf,
  type RequestId,
  type TransactionId,
  transactionId,
} from '@local-plus/contracts';

/** What every row of `transactions` gives; `bigint` arrives as text from the lane's connection, as a number from the pool. */
interface PostingRow {
  readonly version: string | number;
  readonly amount: string | number;
  readonly balance_delta: string | number;
  readonly balance_after: string | number;
  readonly held_after: string | number;
  readonly occurred_ms: string | number;
  readonly contra_account_id: AccountId;
  readonly kind: TransactionKind;
  readonly reversal_of: TransactionId | null;
  readonly base_version: string | number | null;
  /** JSON text, as it was hashed. */
  readonly detail: string | null;
  readonly hash: string | null;
}

interface FactsRow {
  readonly program_id: ProgramId;
  readonly correlation_id: RequestId;
  readonly request_hash: string;
  readonly reference: string | null;
  readonly metadata: string | null;
  readonly traceparent: string | null;
}

/** A row of `transactions`, whole but for the account and the key that it was found by. */
export interface TransactionRow extends PostingRow, FactsRow {
  readonly seq: string;
}

interface RefusalRow extends TransactionRow {
  readonly code: RefusalCode;
  readonly part: number;
}

/** The newest row of an account, and where that does not say it all, what restoring needs, as JSON text. */
interface AccountRow
  extends Pick<TransactionRow, 'version' | 'balance_after' | 'held_after' | 'occurred_ms' | 'base_version' | 'hash'> {
  /** The rows from the base on, {@link PostingTuple}. */
  readonly detail: string | null;
  /** The checkpoint. */
  readonly metadata: string | null;
}

/** A line of the look-ups' result set, see `lookUpStatement`. */
export type FoundRow = { readonly n: number } & (
  | ({ readonly what: 1 } & TransactionRow)
  | ({ readonly what: 2 } & RefusalRow)
  | ({ readonly what: 3 } & AccountRow)
);

/** A posting as the look-ups put it into JSON. */
type PostingTuple = readonly [
  version: number,
  kind: TransactionKind,
  amount: number,
  balanceDelta: number,
  balanceAfter: number,
  heldAfter: number,
  occurredAtMs: number,
  contraAccountId: AccountId,
  reversalOf: TransactionId | null,
  baseVersion: number | null,
  detail: PostingDetail | null,
];

export function findingsFrom(found: readonly FoundRow[], lookUps: LookUps): Findings {
  const keys: (StoredOutcome | null)[] = new Array(lookUps.keys.length).fill(null);
  const accounts: (AccountRecord | null)[] = new Array(lookUps.accounts.length).fill(null);
  for (const row of found) {
    const index = row.n - 1;
    if (row.what === 1) keys[index] = transactionFrom(row, lookUps.keys[index] as Asked);
    else if (row.what === 2) keys[index] = refusalFrom(row, lookUps.keys[index] as Asked);
    else accounts[index] = recordFrom(row);
  }
  return { keys, accounts };
}

/**
 * What is missing is not made up for: a base that cannot be had is left out, and restoring, which asserts that versions
 * are dense, finds it.
 */
function recordFrom(row: AccountRow): AccountRecord {
  const { hash } = row;
  if (row.base_version === null) {
    const { version, balance_after: balance, held_after: held, occurred_ms: lastAtMs } = row;
    const base = { version: Number(version), balance: Number(balance), held: Number(held), lastAtMs: Number(lastAtMs) };
    return { base, tail: [], hash };
  }
  const baseVersion = Number(row.base_version);
  const postings = (JSON.parse(row.detail ?? '[]') as PostingTuple[]).map(postingFromTuple);
  const checkpoint = row.metadata;
  if (checkpoint !== null) return { base: checkpoint, tail: after(postings, baseVersion), hash };
  const base = postings.find((posting) => posting.version === baseVersion && posting.baseVersion === null);
  // Without a base, a row that is its own base stays: it cannot follow the opened account.
  return { base: base ? headOf(base) : null, tail: after(postings, base ? baseVersion : baseVersion - 1), hash };
}

/** The postings past a version, oldest first. */
function after(postings: readonly Posting[], version: number): Posting[] {
  const tail = postings.filter((posting) => posting.version > version);
  return tail.sort((left, right) => left.version - right.version);
}

function headOf({ version, balanceAfter, heldAfter, occurredAtMs }: Posting): AccountHead {
  return { version, balance: balanceAfter, held: heldAfter, lastAtMs: occurredAtMs };
}

function postingFromTuple(tuple: PostingTuple): Posting {
  const [version, kind, amount, balanceDelta, balanceAfter, heldAfter, occurredAtMs, contraAccountId] = tuple;
  const [, , , , , , , , reversalOf, baseVersion, detail] = tuple;
  return {
    kind,
    amount,
    balanceDelta,
    contraAccountId,
    version,
    balanceAfter,
    heldAfter,
    occurredAtMs,
    baseVersion,
    detail,
    reversalOf,
    due: null,
    checkpoint: null,
  };
}

/** As it was decided, but for the checkpoint and the due moment: those are not kept with the row. */
function postingFrom(row: PostingRow): Posting {
  return {
    kind: row.kind,
    amount: Number(row.amount),
    balanceDelta: Number(row.balance_delta),
    contraAccountId: row.contra_account_id,
    version: Number(row.version),
    balanceAfter: Number(row.balance_after),
    heldAfter: Number(row.held_after),
    occurredAtMs: Number(row.occurred_ms),
    baseVersion: row.base_version === null ? null : Number(row.base_version),
    detail: row.detail === null ? null : (JSON.parse(row.detail) as PostingDetail),
    reversalOf: row.reversal_of,
    due: null,
    checkpoint: null,
  };
}

type Asked = { readonly accountId: AccountId; readonly idempotencyKey: IdempotencyKey };

function factsFrom(row: FactsRow, asked: Asked): StoredTransaction['facts'] {
  return {
    accountId: asked.accountId,
    programId: row.program_id,
    idempotencyKey: asked.idempotencyKey,
    requestHash: row.request_hash,
    requestId: row.correlation_id,
    traceparent: row.traceparent,
    reference: row.reference,
    metadata: row.metadata,
  };
}

export function transactionFrom(row: TransactionRow, asked: Asked): StoredTransaction {
  const posting = postingFrom(row);
  return {
    type: 'posted',
    facts: factsFrom(row, asked),
    posting,
    hash: row.hash,
    transactionId: transactionId(posting.occurredAtMs, positionOf(row.seq)),
  };
}

function refusalFrom(row: RefusalRow, asked: Asked): StoredRefusal {
  return {
    type: 'refused',
    facts: factsFrom(row, asked),
    kind: row.kind,
    amount: Number(row.amount),
    code: row.code,
    balance: Number(row.balance_after),
    held: Number(row.held_after),
    version: Number(row.version),
    occurredAtMs: Number(row.occurred_ms),
    part: row.part,
  };
}
