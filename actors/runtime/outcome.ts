/** What is asked of the runtime, and what comes back. */
import type { TransactionId } from '@local-plus/contracts';
import type { Command } from '../account/domain.ts';
import type { PostedRow, RefusedRow, RequestFacts, StoredOutcome } from '../ports.ts';
import type { Actor } from './actor.ts';

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

/**
 * A command on its way. It is in exactly one place: its actor's mailbox, the open batch, the flying batch, or another
 * command's followers; and it is answered exactly once.
 */
export class Pending {
  readonly request: AccountRequest;
  readonly actor: Actor;
  readonly #answer: (outcome: Outcome) => void;
  answered = false;
  /** undefined: not looked up yet; null: the key is new. */
  found: StoredOutcome | null | undefined = undefined;
  /** In the open or the flying batch: past being expired. */
  decided = false;
  /** Later commands with the same key, who get this one's outcome. */
  followers: Pending[] | null = null;

  constructor(request: AccountRequest, actor: Actor, answer: (outcome: Outcome) => void) {
    this.request = request;
    this.actor = actor;
    this.#answer = answer;
  }

  /** The first call answers; later ones do nothing: a client gone at its deadline is not told twice. */
  answer(outcome: Outcome): void {
    if (this.answered) return;
    this.answered = true;
    this.#answer(outcome);
  }
}
