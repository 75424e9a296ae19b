/**
 * The account machine: pure. `decide` says what a command does to a state; `apply` is the state after it.
 *
 * Knows no clock, no store, no wire. A refusal is a value; a broken invariant is an assertion.
 * I1: a posting names one delta and its contra account, so its two legs sum to zero.
 * I2: available = balance − held ≥ 0; versions are dense.
 */
import {
  type AccountId,
  limits,
  type ProgramAccountRole,
  type ProgramId,
  programAccount,
  type wallets,
} from '@local-plus/contracts';

export type TransactionKind = wallets.TransactionKind;

/** All an account's past that a decision needs. Immutable: undoing is keeping the older one. */
export interface AccountState {
  /** Transactions so far. */
  readonly version: number;
  readonly balance: number;
  readonly held: number;
  /** When the newest transaction was decided; times never run backwards within an account. */
  readonly lastAtMs: number;
}

export const openedAccount: AccountState = { version: 0, balance: 0, held: 0, lastAtMs: 0 };

/** What can be asked of an account. The further kinds of the ledger become further members here. */
export interface Command {
  readonly kind: 'earn' | 'burn';
  /** 1 … limits.amountMax, in the smallest unit of the program. */
  readonly amount: number;
  readonly programId: ProgramId;
}

export type RefusalCode = 'insufficient_funds' | 'balance_limit_exceeded';

/** The ledger row's part that the machine decides. */
export interface Posting {
  readonly kind: TransactionKind;
  readonly amount: number;
  /** What the account gains; its contra account loses the same. */
  readonly balanceDelta: number;
  readonly contraAccountId: AccountId;
  readonly version: number;
  readonly balanceAfter: number;
  readonly heldAfter: number;
  readonly occurredAtMs: number;
}

export type Decision =
  | { readonly type: 'post'; readonly posting: Posting; readonly state: AccountState }
  | { readonly type: 'refuse'; readonly code: RefusalCode };

type Guard = (state: AccountState, command: Command) => boolean;

const guards: Readonly<Record<RefusalCode, Guard>> = {
  insufficient_funds: (state, command) => state.balance - state.held < command.amount,
  balance_limit_exceeded: (state, command) => state.balance + command.amount > limits.balanceMax,
};

/** Per kind: its guards in their order of precedence, its sign, and the other leg. */
const rules: Readonly<
  Record<Command['kind'], { guards: readonly RefusalCode[]; sign: 1 | -1; contra: ProgramAccountRole }>
> = {
  earn: { guards: ['balance_limit_exceeded'], sign: 1, contra: 'issued' },
  burn: { guards: ['insufficient_funds'], sign: -1, contra: 'redeemed' },
};

/**
 * @param state the account before
 * @param command already of the documented shape
 * @param nowMs Unix milliseconds; a clock that went back is held at the account's last time
 */
export function decide(state: AccountState, command: Command, nowMs: number): Decision {
  assert(Number.isSafeInteger(command.amount), 'an amount is an integer');
  assert(command.amount >= limits.amountMin && command.amount <= limits.amountMax, 'an amount is within its bounds');
  const rule = rules[command.kind];
  for (const code of rule.guards) {
    if (guards[code](state, command)) return { type: 'refuse', code };
  }
  const posting: Posting = {
    kind: command.kind,
    amount: command.amount,
    balanceDelta: rule.sign * command.amount,
    contraAccountId: programAccount(command.programId, rule.contra),
    version: state.version + 1,
    balanceAfter: state.balance + rule.sign * command.amount,
    heldAfter: state.held,
    occurredAtMs: Math.max(nowMs, state.lastAtMs),
  };
  return { type: 'post', posting, state: apply(state, posting) };
}

/** The state after a posting. Asserts I2: a store that hands out a gap or an overdrawn account is broken. */
export function apply(state: AccountState, posting: Posting): AccountState {
  assert(posting.version === state.version + 1, 'versions are dense');
  assert(posting.balanceAfter === state.balance + posting.balanceDelta, 'a balance is the sum of its entries');
  assert(posting.heldAfter >= 0 && posting.balanceAfter - posting.heldAfter >= 0, 'available is never negative');
  assert(Math.abs(posting.balanceAfter) <= limits.balanceMax, 'a balance is within its bounds');
  return {
    version: posting.version,
    balance: posting.balanceAfter,
    held: posting.heldAfter,
    lastAtMs: posting.occurredAtMs,
  };
}

/** A broken invariant: the actor that meets it is discarded and loaded again. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new InvariantViolation(invariant);
}
