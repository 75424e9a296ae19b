/**
 * What handlers need of whoever serialises an account: this process's runtime, or another process's behind the same calls.
 *
 * A handler must not know which of the two it is. What it may know is whether two accounts have one owner: only then can
 * one request have parts for both.
 */
import type { AccountRequest, AccountState, Outcome, Runtime } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';

export interface AccountRuntime {
  /** {@link Runtime.submit}. A request of several parts goes to the owner of its first account, which must own them all. */
  submit(request: AccountRequest): Promise<Outcome>;
  /** As `submit`, without a promise: `answer` is called exactly once, possibly before this returns. */
  post(request: AccountRequest, answer: (outcome: Outcome) => void): void;
  /** The committed state of an account (I4); null when its owner or the store is away, or too much waits. */
  read(accountId: AccountId): Promise<AccountState | null> | AccountState | null;
  /**
   * Whether one process serialises both accounts, as far as this one knows. It may change at any moment: a request with
   * parts for accounts of two owners is answered `unavailable`, and nothing of it happens.
   */
  sameOwner(a: AccountId, b: AccountId): boolean;
  /** {@link Runtime.sendAway}. 0 where that is another process's to say. */
  sendAway(tenant: string, accountId: AccountId | null, deadlineMs: number, placesFree: number): number;
}

/** This process's own runtime, for whoever decides what is served by it. */
export type LocalRuntime = Pick<Runtime, 'submit' | 'post' | 'read' | 'sendAway' | 'drain' | 'status'>;

/** How the accounts are shared with other processes. */
export interface Sharing {
  readonly accounts: AccountRuntime;
  /** After the writer was claimed; resolves when it is known what is served here. Keeps trying while Postgres is away. */
  join(): Promise<void>;
  /** The shards that are served here; null: all of them are. */
  shardsHere(): readonly number[] | null;
  /** Why this process cannot serve, in plain words; empty when it can. */
  reasons(): readonly string[];
}

/** This process owns every account. */
export function unshared(runtime: LocalRuntime): Sharing {
  return { accounts: localAccounts(runtime), join: async () => undefined, shardsHere: () => null, reasons: () => [] };
}

/** One process owns every account. */
export function localAccounts(runtime: Pick<Runtime, 'submit' | 'post' | 'read' | 'sendAway'>): AccountRuntime {
  return {
    submit: (request) => runtime.submit(request),
    post: (request, answer) => runtime.post(request, answer),
    read: (accountId) => runtime.read(accountId),
    sameOwner: () => true,
    sendAway: (tenant, accountId, deadlineMs, placesFree) =>
      runtime.sendAway(tenant, accountId, deadlineMs, placesFree),
  };
}
