/** What is asked of the runtime, and what comes back. */
import type { TransactionId } from '@local-plus/contracts';
import type { Command } from '../account/model.ts';
import type { PostedRow, RefusedRow, RequestFacts } from '../ports.ts';

/** One command on one account. */
export interface Part {
  readonly facts: RequestFacts;
  readonly command: Command;
}

/** A transaction on its way to the client. */
export interface Posted {
  readonly row: PostedRow;
  readonly transactionId: TransactionId;
}

export interface AccountRequest extends Part {
  /** Whose share of what waits it counts against: a merchant's id; absent: the program's. */
  readonly tenant?: string;
  /**
   * Further commands, of this account or of others of the same lane: all are posted in one batch, in this order, or none
   * is. Then the refusal of the one that was refused (`row.part` says which) is the outcome of the whole, stored once,
   * under the first part's account and key. A retry is known by that key alone: the request hash of the first part has
   * to cover all of them. A further key that was used before makes the whole `key_reused`; one that is on the way at
   * this moment, `overloaded`.
   */
  readonly also?: readonly Part[];
  /** By the monotonic clock; from here on the command never executes. */
  readonly deadlineMs: number;
}

/**
 * - `posted`, `refused`: durable; `replayed` when an earlier request with this key made it.
 * - `key_reused`: the key's outcome belongs to another request. Nothing happened.
 * - `overloaded`, `expired`: nothing happened, and nothing will. `retryAfterMs`: how long to stay away, where that is known.
 * - `unavailable`: nothing happened, or it is not known yet; the same key tells.
 * - `failed`: a fault of ours; nothing happened.
 */
export type Outcome =
  | {
      readonly type: 'posted';
      readonly row: PostedRow;
      readonly transactionId: TransactionId;
      readonly replayed: boolean;
      /** The further parts' transactions, in their order; empty when there are none, and for a replay. */
      readonly also: readonly Posted[];
    }
  | { readonly type: 'refused'; readonly row: RefusedRow; readonly replayed: boolean }
  | { readonly type: 'key_reused' }
  | { readonly type: 'overloaded'; readonly retryAfterMs?: number }
  | { readonly type: 'expired' }
  | { readonly type: 'unavailable' }
  | { readonly type: 'failed' };
