/** What bulk needs of the ledger: the single request's own way, for a line. */
import type { AccountRequest, Outcome, Part, PostedRow, RefusedRow, StoredOutcome } from '@local-plus/actors';
import type { AccountId, bulk, IdempotencyKey, Problem, ProblemCode, TransactionId } from '@local-plus/contracts';
import type { CoreRequest } from '../platform/http/index.ts';

/** What all lines of a request have in common. */
export type LineContext = Pick<CoreRequest, 'context' | 'requestId' | 'traceparent'>;

export interface LinePart {
  readonly part: Part;
  readonly unit: string;
}

export interface AccountKey {
  readonly accountId: AccountId;
  readonly idempotencyKey: IdempotencyKey;
}

export interface BulkLedger {
  /**
   * What a line asks of its account, exactly as a single request with this key: one is the replay of the other.
   * Throws the problem `not_found` for what is no wallet of the caller's.
   */
  partOf(line: bulk.BulkLine, request: LineContext): LinePart | Promise<LinePart>;
  /** Calls `answer` once; before it returns only for what was not accepted. */
  post(request: AccountRequest, answer: (outcome: Outcome) => void): void;
  /**
   * What is stored under these keys, in their order: all that was committed before the call. At most one group's. Throws
   * the problem `unavailable`.
   */
  stored(keys: readonly AccountKey[]): Promise<readonly (StoredOutcome | null)[]>;
  transactionJson(row: PostedRow, id: TransactionId, unit: string): string;
  refusalProblem(row: RefusedRow): Problem;
  readonly failures: Readonly<Record<Exclude<Outcome['type'], 'posted' | 'refused'>, ProblemCode>>;
}
