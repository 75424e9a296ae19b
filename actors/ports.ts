/**
 * What the runtime needs of the world. Everything that waits, fails, or differs between runtimes stands here.
 *
 * The store speaks in whole batches: the commit protocol (see ARCHITECTURE.md, "Commit") is the runtime's, the store
 * only executes its statements. Every adapter passes the suite in `conformance/`.
 */
import type { AccountId, IdempotencyKey, ProgramId, RequestId, TransactionId } from '@local-plus/contracts';
import type { AccountRecord, Posting, RefusalCode, TransactionKind } from './account/model.ts';

export interface Clock {
  /** Unix milliseconds, an integer. May jump either way: only ever written down, never compared with a deadline. */
  nowMs(): number;
  /** Milliseconds from any origin; never runs backwards. */
  monotonicMs(): number;
}

export interface Timer {
  /** Runs once after `delayMs`; the function that it returns cancels. */
  after(delayMs: number, run: () => void): () => void;
  /** Runs once, after what is already waiting to run: lets the requests of one moment share a batch. */
  soon(run: () => void): void;
}

export interface Log {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the ledger keeps of the request beside what the machine decided. */
export interface RequestFacts {
  readonly accountId: AccountId;
  readonly programId: ProgramId;
  readonly idempotencyKey: IdempotencyKey;
  /** 32 lower-case hex characters over what the request asks. */
  readonly requestHash: string;
  readonly requestId: RequestId;
  readonly traceparent: string | null;
  readonly reference: string | null;
  /** JSON text. */
  readonly metadata: string | null;
}

/** One row of `transactions` to be. */
export interface PostedRow {
  readonly facts: RequestFacts;
  readonly posting: Posting;
  /** Its link of the account's hash chain (account/chain.ts): 64 lower-case hex characters. null: older than the chain. */
  readonly hash: string | null;
}

/** One row of `refusals` to be: the refusal, and the state that it was made from. */
export interface RefusedRow {
  readonly facts: RequestFacts;
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly code: RefusalCode;
  readonly balance: number;
  readonly held: number;
  readonly version: number;
  readonly occurredAtMs: number;
  /** Which of the request's parts was refused, and the whole with it: 0 is the first. Stored. */
  readonly part: number;
}

/** What the store holds of a transaction. */
export interface StoredTransaction extends PostedRow {
  readonly type: 'posted';
  readonly transactionId: TransactionId;
}

export interface StoredRefusal extends RefusedRow {
  readonly type: 'refused';
}

export type StoredOutcome = StoredTransaction | StoredRefusal;

export interface WriterPosition {
  readonly epoch: number;
  /** The last committed batch; 0 when there is none. */
  readonly batch: number;
}

/** The writes of one statement. `batch` is the number that they get: the last committed one plus 1. */
export interface Batch {
  readonly writerId: number;
  readonly epoch: number;
  readonly batch: number;
  readonly posted: readonly PostedRow[];
  readonly refused: readonly RefusedRow[];
  /** Keys of its rows were not looked up: the batch is refused if one of them was used. */
  readonly isOptimistic: boolean;
}

export interface Key {
  readonly accountId: AccountId;
  readonly idempotencyKey: IdempotencyKey;
}

/** What a look-up asks: keys that may have been used, accounts that are not in memory. */
export interface LookUps {
  readonly keys: readonly Key[];
  readonly accounts: readonly AccountId[];
}

/** Aligned with the look-ups; absent is null. */
export interface Findings {
  readonly keys: readonly (StoredOutcome | null)[];
  readonly accounts: readonly (AccountRecord | null)[];
}

/** The two connections of a writer: a look-up may be under way beside a write. */
export type StoreConnection = 'writes' | 'reads';

/**
 * The ledger's storage, as one writer sees it.
 *
 * Every method rejects with a {@link StoreFailure} and nothing else. At most one look-up is under way at a time; writes
 * (all else) are executed one after the other in the order of their calls, on one connection, until it is reset.
 */
export interface LedgerStore {
  /** Takes the writer over: raises its epoch by one, and so fences whoever held it. */
  claim(writerId: number): Promise<WriterPosition>;
  /**
   * Raises the held epoch by one, so that statements of the old one still on their way come to nothing. null: it is not
   * held any more, and nothing was changed.
   */
  raise(writerId: number, heldEpoch: number): Promise<WriterPosition | null>;
  /**
   * One durable, atomic write: advances the writer from `batch − 1` to `batch` under its epoch, and inserts.
   *
   * Resolves to whether it was applied: if not, the writer was superseded, or this batch is committed already;
   * `position` tells which. Failures: `refused` (nothing was written and the same batch will never be; a used key counts
   * only where the writer stands at `batch − 1`, so that no batch meets its own keys), `unknown`
   * (written or not).
   */
  commit(batch: Batch): Promise<boolean>;
  position(writerId: number): Promise<WriterPosition>;
  /** Sees at least every batch whose commit had been answered when it was called. */
  lookUp(lookUps: LookUps): Promise<Findings>;
  /** Gives up a connection; the next call uses a fresh one. Never rejects. */
  reset(connection: StoreConnection): Promise<void>;
}

/**
 * What happens next is in `outcome`: after `refused` the same statement fails again; after `unknown` it may have been
 * applied, and is sent again unchanged.
 */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
  readonly outcome: 'refused' | 'unknown';

  constructor(outcome: 'refused' | 'unknown', message: string, options?: { cause: unknown }) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** A batch that is on disk, for whoever announces it. */
export interface CommittedBatch {
  readonly writerId: number;
  readonly batch: number;
  readonly posted: readonly PostedRow[];
}

/** An account of which a hold or a lot is due. */
export interface DueAccount {
  readonly accountId: AccountId;
  readonly programId: ProgramId;
  /** The earliest of its due moments, Unix milliseconds. */
  readonly dueAtMs: number;
}
