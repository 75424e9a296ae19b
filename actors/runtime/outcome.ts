/** What is asked of the runtime, and what comes back. */
import type { TransactionId } from '@local-plus/contracts';
import type { Command } from '../account/domain.ts';
import type { PostedRow, RefusedRow, RequestFacts } from '../ports.ts';

export interface AccountRequest {
  readonly facts: RequestFacts;
  readonly command: Command;
  /** By the monotonic clock; from here on the command never executes. */
  readonly deadlineMs: number;
}

/**
 * - `posted`, `refused`: durable; `replayed` when an earlier request with this key made it.
 * - `key_reused`: the key's outcome belongs to another request. Nothing happened.
 * - `overloaded`, `expired`: nothing happened, and nothing will.
 * - `unavailable`: nothing happened, or it is not known yet; the same key tells.
 * - `failed`: a fault of ours; nothing happened.
 */
export type Outcome =
  | {
      readonly type: 'posted';
      readonly row: PostedRow;
      readonly transactionId: TransactionId;
      readonly replayed: boolean;
    }
  | { readonly type: 'refused'; readonly row: RefusedRow; readonly replayed: boolean }
  | { readonly type: 'key_reused' }
  | { readonly type: 'overloaded' }
  | { readonly type: 'expired' }
  | { readonly type: 'unavailable' }
  | { readonly type: 'failed' };
