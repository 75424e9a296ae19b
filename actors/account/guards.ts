/**
 * Why an account says no: per kind its guards in their order of precedence. Each line reads "refused with this code when";
 * the first that holds is the answer. A kind refuses for nothing that does not stand here.
 */
import { limits } from '@local-plus/contracts';
import { allot, changedCounters, grantsOf } from './counters.ts';
import { accountLimits } from './limits.ts';
import { dueLots } from './lots.ts';
import type { AccountState, Command, CommandKind, CommandOf, RefusalCode } from './model.ts';
import { cameIn, contraOfReversal, isReversalShort, reversalAmount, reversibleRest } from './reversal.ts';
import { clearable, holdOf, reversedOf, spendableOf } from './state.ts';

type Guard<Asked> = (state: AccountState, command: Asked, atMs: number) => boolean;
type Guards = { readonly [Kind in CommandKind]: Readonly<Partial<Record<RefusalCode, Guard<CommandOf<Kind>>>>> };

const guards: Guards = {
  earn: {
    account_frozen: isFrozen,
    balance_limit_exceeded: (state, command) => overflows(state, command.amount - Math.min(command.amount, state.owed)),
  },
  purchase: {
    account_frozen: isFrozen,
    nothing_earned: (state, command, atMs) => allot(state.counters, grantsOf(state, command), atMs).total === 0,
    balance_limit_exceeded: (state, command, atMs) => {
      const { total } = allot(state.counters, grantsOf(state, command), atMs);
      return overflows(state, total - Math.min(total, state.owed));
    },
    counters_limit_exceeded: (state, command, atMs) => {
      const { changes } = allot(state.counters, grantsOf(state, command), atMs);
      return changedCounters(state.counters, changes, atMs).length > accountLimits.countersMax;
    },
  },
  burn: {
    account_frozen: isFrozen,
    insufficient_funds: isShort,
  },
  load: {
    account_frozen: isFrozen,
    balance_limit_exceeded: (state, command) => overflows(state, command.amount),
  },
  redeem: {
    account_frozen: isFrozen,
    insufficient_funds: isShort,
  },
  adjust: {
    insufficient_funds: (state, command, atMs) => command.direction === 'out' && isShort(state, command, atMs),
    balance_limit_exceeded: (state, command) => command.direction === 'in' && overflows(state, command.amount),
  },
  hold: {
    account_frozen: isFrozen,
    holds_limit_exceeded: (state) => state.holds.length >= accountLimits.holdsMax,
    insufficient_funds: isShort,
  },
  capture: {
    account_frozen: (state, command) => state.frozen && command.promised !== true,
    hold_closed: (state, command, atMs) => (holdOf(state, command.hold)?.expiresAtMs ?? 0) <= atMs,
    capture_exceeds_hold: (state, command) => (command.amount ?? 0) > (holdOf(state, command.hold)?.amount ?? 0),
  },
  release: {
    hold_closed: (state, command) => holdOf(state, command.hold) === undefined,
  },
  reverse: {
    not_reversible: (_state, { original }) => contraOfReversal(original.kind) === undefined,
    reversal_exceeds_original: (state, command) =>
      reversibleRest(state, command.original) < Math.max(reversalAmount(state, command), 1),
    reversals_limit_exceeded: (state, { original }) =>
      state.reversals.length >= accountLimits.reversalsMax && reversedOf(state, original.version) === 0,
    insufficient_funds: isReversalShort,
    balance_limit_exceeded: (state, command) =>
      !cameIn(command.original) && overflows(state, reversalAmount(state, command)),
  },
  transfer_out: {
    account_frozen: isFrozen,
    insufficient_funds: isShort,
  },
  /**
   * The other account said no already, and what is on its way belongs here: frozen or not. A stored refusal would keep it
   * away for ever; a balance without room for it is an assertion instead, and the transfer is open until there is room.
   */
  return: {},
  transfer_in: {
    account_frozen: isFrozen,
    balance_limit_exceeded: (state, command) => overflows(state, command.amount),
  },
  freeze: {
    account_frozen: isFrozen,
  },
  unfreeze: {
    account_not_frozen: (state) => !state.frozen,
  },
  clear: {
    account_frozen: (state, { as }) =>
      state.frozen && (as.kind === 'redeem' || (as.kind === 'transfer_out' && !as.evenFrozen)),
    insufficient_funds: (state, command, atMs) => clearable(state, command, atMs) < limits.amountMin,
  },
  decline: {
    giftcard_deactivated: (_state, { code }) => code === 'giftcard_deactivated',
    giftcard_expired: (_state, { code }) => code === 'giftcard_expired',
    giftcard_pending: (_state, { code }) => code === 'giftcard_pending',
  },
  due: {
    nothing_due: (state, _command, atMs) =>
      dueLots(state.lots, atMs).length === 0 && !state.holds.some((hold) => hold.expiresAtMs <= atMs),
  },
};

/** Whether this release knows the kind: what another process asks for may be of a newer one. */
export function isCommandKind(kind: string): kind is CommandKind {
  return Object.hasOwn(guards, kind);
}

function isFrozen(state: AccountState): boolean {
  return state.frozen;
}

function isShort(state: AccountState, command: { readonly amount: number }, atMs: number): boolean {
  return spendableOf(state, atMs) < command.amount;
}

function overflows(state: AccountState, gain: number): boolean {
  return state.balance > limits.balanceMax - gain;
}

/** The same table as lists: it is gone through for every command. */
const ordered = Object.fromEntries(
  Object.entries(guards).map(([kind, ofKind]) => [kind, Object.entries(ofKind)]),
) as unknown as Readonly<Record<CommandKind, readonly (readonly [RefusalCode, Guard<Command>])[]>>;

/** The code of the first guard that refuses; null: nothing stands in the way. */
export function refusalOf(state: AccountState, command: Command, atMs: number): RefusalCode | null {
  for (const guard of ordered[command.kind]) {
    if (guard[1](state, command, atMs)) return guard[0];
  }
  return null;
}
