/**
 * The live side of one account: its state twice, its mailbox, and the commands that are on their way.
 *
 * `committed` is what readers may see (I4). `ahead` is what the next command is decided on: `committed` plus whatever
 * is in the open and the flying batch. When a batch fails, `ahead` falls back to `committed`.
 */
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import type { AccountState } from '../account/domain.ts';
import type { StoredOutcome } from '../ports.ts';
import type { AccountRequest, Outcome } from './outcome.ts';

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

export type Reader = (state: AccountState | null) => void;

export class Actor {
  readonly accountId: AccountId;
  /** null: cold. */
  committed: AccountState | null = null;
  ahead: AccountState | null = null;
  /** Its load is queued or under way: it is loaded once. */
  loading = false;
  /** It stands in the lane's queue of actors that can go on. */
  queued = false;
  readers: Reader[] | null = null;
  #mailbox: Pending[] = [];
  #head = 0;
  #onTheWay: Map<IdempotencyKey, Pending> | null = null;

  constructor(accountId: AccountId) {
    this.accountId = accountId;
  }

  /** Nothing waits for it and nothing of it is uncommitted: it can be evicted. */
  get idle(): boolean {
    return this.#onTheWay === null && this.readers === null && !this.queued && !this.loading;
  }

  get mailboxLength(): number {
    return this.#mailbox.length - this.#head;
  }

  load(state: AccountState): void {
    this.committed = state;
    this.ahead = state;
    this.loading = false;
    const readers = this.readers;
    this.readers = null;
    if (readers) for (const reader of readers) reader(state);
  }

  /** Forgets its state: the next command loads it again. Only while nothing of it is uncommitted. */
  discard(): void {
    this.committed = null;
    this.ahead = null;
  }

  failReaders(): void {
    const readers = this.readers;
    this.readers = null;
    if (readers) for (const reader of readers) reader(null);
  }

  onTheWay(key: IdempotencyKey): Pending | undefined {
    return this.#onTheWay?.get(key);
  }

  enqueue(pending: Pending): void {
    this.#mailbox.push(pending);
    this.#onTheWay ??= new Map();
    this.#onTheWay.set(pending.request.facts.idempotencyKey, pending);
  }

  /** Puts commands of a failed batch back in front, in their order. */
  putBack(pendings: readonly Pending[]): void {
    this.#mailbox = [...pendings, ...this.#mailbox.slice(this.#head)];
    this.#head = 0;
  }

  peek(): Pending | undefined {
    return this.#mailbox[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#mailbox.length) {
      this.#mailbox.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1_024) {
      this.#mailbox.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Empties the mailbox. */
  takeAll(): Pending[] {
    const all = this.#mailbox.slice(this.#head);
    this.#mailbox.length = 0;
    this.#head = 0;
    return all;
  }

  /** The command is settled: its key is no longer on the way, unless a later command has taken it up. */
  release(pending: Pending): void {
    const keys = this.#onTheWay;
    const key = pending.request.facts.idempotencyKey;
    if (keys === null || keys.get(key) !== pending) return;
    keys.delete(key);
    if (keys.size === 0) this.#onTheWay = null;
  }
}
