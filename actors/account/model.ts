/**
 * The nouns of the account machine: what an account is, what can be asked of it, what comes of it. No rules here: those
 * stand in `domain.ts`, lots in `lots.ts`, restoring in `restore.ts`.
 */
import type { AccountId, ProgramId, TransactionId, wallets } from '@local-plus/contracts';

export type TransactionKind = wallets.TransactionKind;

/** Days since 1970-01-01 UTC. A lot can be spent up to the end of its day. */
export type Day = number;

/**
 * Points of one account that expire on one day; all earns with that expiry are one lot. So an account has at most as
 * many lots as the longest expiry has days, however many earns it has. Amounts are positive; sorted by day.
 */
export type Lot = readonly [day: Day, amount: number];

/** Points set aside: still in the balance, not available. Known by the version of the transaction that made it. */
export interface Hold {
  readonly version: number;
  /** What is left of it. */
  readonly amount: number;
  readonly expiresAtMs: number;
  /** Which lots the rest was taken from, first-expiring first; the remainder never expires. */
  readonly lots: readonly Lot[];
}

/**
 * What purchases have earned under a cap in one of its windows: the cap's name, the window's end in Unix milliseconds, the
 * points. One that is called `purchases` counts purchases instead.
 */
export type Counter = readonly [key: string, untilMs: number, count: number];

/** A bound of what a counter may come to in its window. */
export interface Cap {
  readonly counter: string;
  /** The end of the window in which the request was received. */
  readonly untilMs: number;
  readonly max: number;
}

/** What earn rules give for a purchase, unless its caps leave less. */
export interface Grant {
  readonly points: number;
  readonly caps: readonly Cap[];
}

/** How much of an earlier transaction has been reversed. */
export type Reversal = readonly [version: number, amount: number];

/**
 * All an account's past that a decision needs. Immutable: undoing is keeping the older one. Lots, holds and reversals
 * are bounded (limits.ts); accounts without any share the same empty lists.
 */
export interface AccountState {
  /** Transactions so far. */
  readonly version: number;
  readonly balance: number;
  /** The sum of the holds. */
  readonly held: number;
  /** When the newest transaction was decided; times never run backwards within an account. */
  readonly lastAtMs: number;
  readonly frozen: boolean;
  /** What later earns pay back first, under the reversal policy `recover`. */
  readonly owed: number;
  /** Available points that expire; the rest of what is available never does. */
  readonly lots: readonly Lot[];
  /** In the order in which they were made. */
  readonly holds: readonly Hold[];
  /** Sorted by version. */
  readonly reversals: readonly Reversal[];
  /** Of purchases, against the caps of earn rules. Bounded (limits.ts). */
  readonly counters: readonly Counter[];
  /**
   * From which version on the rows have to be read to get this state again: null when the newest row alone says it all
   * (no lots, holds, reversals, counters, debt, not frozen); else the version of the last checkpoint, or of the last row that said
   * it all; 0: the opened account.
   */
  readonly baseVersion: number | null;
  /** The earliest moment at which a lot or a hold is due; null: never. */
  readonly dueAtMs: number | null;
}

/** When what is earned now expires, a rule of the program. Days and months are of the UTC calendar. */
export interface ExpiryRule {
  readonly period: 'months' | 'days';
  /** 1 … 120 months, 1 … 3,650 days. */
  readonly count: number;
  /** The lot's day is moved to the last one of its month: few lots, and what customers can remember. */
  readonly endOfMonth: boolean;
}

/**
 * What becomes of the reversal of an earn whose points are spent: it is refused; the balance goes below zero, to
 * −`limit` at most; or what is there is taken, and the rest is owed by later earns.
 */
export type ReversalPolicy =
  | { readonly type: 'refuse' }
  | { readonly type: 'negative'; readonly limit: number }
  | { readonly type: 'recover' };

/** What of an earlier transaction its reversal has to know; it is committed, and never changes. */
export interface Original {
  readonly transactionId: TransactionId;
  readonly version: number;
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly balanceDelta: number;
  readonly detail: PostingDetail | null;
}

/**
 * As what `clear` takes all that is there: spent by its owner; its time is over; somebody decided so; or moved to another account
 * in a transfer of two steps, which a frozen account takes part in only where it says so.
 */
export type Clearing =
  | { readonly kind: 'redeem' }
  | { readonly kind: 'expire' }
  | { readonly kind: 'adjust'; readonly reason: string }
  | { readonly kind: 'transfer_out'; readonly partner: AccountId; readonly evenFrozen: boolean };

/** What its owner knows of an account, and the account does not: a gift card's state. */
export type DeclineCode = 'giftcard_pending' | 'giftcard_expired' | 'giftcard_deactivated';

interface Asked<Kind extends TransactionKind | 'due' | 'return' | 'purchase' | 'clear' | 'decline'> {
  readonly kind: Kind;
  readonly programId: ProgramId;
}
interface Moving<Kind extends TransactionKind> extends Asked<Kind> {
  /** 1 … limits.amountMax, in the smallest unit of the program. */
  readonly amount: number;
}

/**
 * What can be asked of an account, one member per kind; `due` posts what time has made due: a release or an expiry; `return`
 * posts a reversal: what a transfer across lanes took out, and the other account refused, comes back; `purchase` posts an
 * earn: what earn rules give for it and their caps leave; `clear` posts what it says, of all that is available; `decline` posts
 * nothing: it is refused under the key of what was asked, so that this is remembered like any other refusal.
 */
export type Command =
  | (Moving<'earn'> & { readonly expiry: ExpiryRule | null })
  | (Asked<'purchase'> & {
      readonly expiry: ExpiryRule | null;
      /** The id of the rules that made the grants. */
      readonly rules: string;
      /** What they give if the wallet never earned for a purchase before, and if it did; in the order of their precedence. */
      readonly first: readonly Grant[];
      readonly later: readonly Grant[];
    })
  | Moving<'burn'>
  | (Moving<'load'> & {
      /** Of one that nobody paid for: a refund of what was spent elsewhere. */
      readonly reason?: string;
    })
  | Moving<'redeem'>
  | (Moving<'adjust'> & {
      readonly direction: 'in' | 'out';
      readonly reason: string;
      readonly expiry: ExpiryRule | null;
    })
  | (Moving<'hold'> & { readonly expiresInS: number })
  | (Asked<'capture'> & {
      /** The hold, by its version. */
      readonly hold: number;
      /** null: all that is left. */
      readonly amount: number | null;
      /** What is left afterwards is released by the same posting. */
      readonly final: boolean;
      /**
       * A payment of several sources was decided on this hold: a freeze that came after it, which stops what is new, does not
       * stop it.
       */
      readonly promised?: true;
    })
  | (Asked<'release'> & { readonly hold: number })
  | (Asked<'reverse'> & {
      readonly original: Original;
      /** null: all that has not been reversed yet. */
      readonly amount: number | null;
      readonly reason: string | null;
      readonly policy: ReversalPolicy;
    })
  | (Moving<'transfer_out'> & {
      readonly partner: AccountId;
      /** The other account is of another lane: its `transfer_in` is a request of its own, or what left comes back. */
      readonly across?: true;
    })
  | (Asked<'return'> & {
      /** A `transfer_out` across lanes; that it comes back once only is for its key to see to. */
      readonly original: Original;
    })
  | (Moving<'transfer_in'> & {
      readonly partner: AccountId;
      /** Which lots left the other account (its posting's lots, negated): a transfer changes no point's expiry. */
      readonly lots?: readonly Lot[];
    })
  | (Asked<'freeze'> & { readonly reason: string })
  | (Asked<'unfreeze'> & { readonly reason: string })
  | (Asked<'clear'> & { readonly as: Clearing })
  | (Asked<'decline'> & {
      readonly of: TransactionKind;
      /** 0: the request left it open. */
      readonly amount: number;
      readonly code: DeclineCode;
    })
  | Asked<'due'>;

export type CommandKind = Command['kind'];
export type CommandOf<Kind extends CommandKind> = Extract<Command, { kind: Kind }>;

/** Why an account says no; each is a problem code of contracts. */
export type RefusalCode =
  | 'account_frozen'
  | 'account_not_frozen'
  | 'insufficient_funds'
  | 'balance_limit_exceeded'
  | 'hold_closed'
  | 'capture_exceeds_hold'
  | 'holds_limit_exceeded'
  | 'not_reversible'
  | 'reversal_exceeds_original'
  | 'reversals_limit_exceeded'
  | 'nothing_due'
  | 'nothing_earned'
  | 'counters_limit_exceeded'
  | DeclineCode;

/**
 * What a posting did beyond its amount; only members that say something are there, in this order. It is kept as the
 * JSON text of this object, hashed, and read again when the account is restored.
 */
export interface PostingDetail {
  /** Changes of the available lots: positive into a lot. */
  readonly lots?: readonly Lot[];
  /** The hold that it captured or released, by version. */
  readonly hold?: number;
  /** Of a new hold. */
  readonly hold_expires_ms?: number;
  /** Of a capture: how much of the hold it set free because it was the final one. */
  readonly released?: number;
  /** Of a capture: which of the hold's lots it spent; the rest of its amount never expired. */
  readonly captured?: readonly Lot[];
  /** Of a reversal: the version of what it reversed. */
  readonly reverses?: number;
  /** Of a reversal: by how much less than its amount the balance fell; of an earn: how much of it paid that back. */
  readonly owed?: number;
  readonly reason?: string;
  /** Of a transfer: the other account. */
  readonly partner?: AccountId;
  /** Of a release or an expiry that nobody asked for. */
  readonly due?: true;
  /** Of a transfer out: the other account is of another lane, so that its side is no part of this batch. */
  readonly across?: true;
  /** Of a reversal that brings a transfer out across lanes back: the version of that. It counts among no reversals. */
  readonly returns?: number;
  /** Of an earn for a purchase: the id of the rules that it was made by. */
  readonly rules?: string;
  /** Of an earn for a purchase: by how much counters grew. */
  readonly counters?: readonly Counter[];
  /** It took all that was available. */
  readonly cleared?: true;
}

/** The ledger row's part that the machine decides. */
export interface Posting {
  readonly kind: TransactionKind;
  /** 0 only where nothing moves: freeze, unfreeze. */
  readonly amount: number;
  /** What the account gains; its contra account loses the same. 0: hold, release, freeze, unfreeze. */
  readonly balanceDelta: number;
  readonly contraAccountId: AccountId;
  readonly version: number;
  readonly balanceAfter: number;
  readonly heldAfter: number;
  readonly occurredAtMs: number;
  /** {@link AccountState.baseVersion} after it. */
  readonly baseVersion: number | null;
  readonly detail: PostingDetail | null;
  readonly reversalOf: TransactionId | null;
  /** The new earliest due moment, where it changed; `atMs` null: nothing is due any more. null: it did not change. */
  readonly due: { readonly atMs: number | null } | null;
  /** The whole state after it, as JSON text, every {@link limits.checkpointEvery} versions; null otherwise. */
  readonly checkpoint: string | null;
}

export type Decision =
  | { readonly type: 'post'; readonly posting: Posting; readonly state: AccountState }
  | { readonly type: 'refuse'; readonly code: RefusalCode };

/** What the store knows of an account, enough to have its state again. */
export interface AccountRecord {
  /** Where to begin: a checkpoint's JSON text, a row that says it all, or null: the opened account. */
  readonly base: string | AccountHead | null;
  /** The postings after it, oldest first; at most a checkpoint's distance. */
  readonly tail: readonly Posting[];
  /** The newest row's link of the account's hash chain; null: the rows are older than the chain. */
  readonly hash: string | null;
}

/** A row that says it all: no lots, holds, reversals, counters or debt, not frozen. */
export interface AccountHead {
  readonly version: number;
  readonly balance: number;
  readonly held: number;
  readonly lastAtMs: number;
}
