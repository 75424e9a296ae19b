/**
 * What each kind moves once no guard refuses it. Everything that `apply` cannot know from the kind and its amount is in
 * the detail.
 */
import { limits, type ProgramAccountRole, type TransactionId } from '@local-plus/contracts';
import { allot, grantsOf } from './counters.ts';
import { assert, InvariantViolation } from './invariant.ts';
import { between, dueLots, expiryDay, firstOf, liveLots, lotDueAtMs, negated, noLots, sumOf } from './lots.ts';
import type {
  AccountState,
  Command,
  CommandKind,
  CommandOf,
  ExpiryRule,
  Hold,
  Lot,
  PostingDetail,
  TransactionKind,
} from './model.ts';
import { cameIn, contraOfReversal, givenBack, reversalAmount, takenBack } from './reversal.ts';
import { availableOf, clearable, holdOf } from './state.ts';

export interface Movement {
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly balanceDelta: number;
  readonly heldDelta: number;
  readonly detail: PostingDetail | null;
}

/** A movement, its other leg, and what it undoes. */
export interface Planned extends Movement {
  readonly contra: ProgramAccountRole;
  readonly reversalOf: TransactionId | null;
}

type Plan<Asked> = (state: AccountState, command: Asked, atMs: number) => Planned;

const plans: { readonly [Kind in CommandKind]: Plan<CommandOf<Kind>> } = {
  earn: (state, { amount, expiry }, atMs) => planEarn(state, amount, expiry, atMs),
  purchase: (state, command, atMs) => {
    const { total, changes } = allot(state.counters, grantsOf(state, command), atMs);
    const planned = planEarn(state, total, command.expiry, atMs);
    return { ...planned, detail: { ...planned.detail, rules: command.rules, counters: changes } };
  },
  burn: (state, { amount }, atMs) => moved('burn', amount, -amount, 'redeemed', spent(state, amount, atMs)),
  load: (_state, { amount, reason }) =>
    moved('load', amount, amount, 'issued', reason === undefined ? null : { reason }),
  redeem: (state, { amount }, atMs) => moved('redeem', amount, -amount, 'redeemed', spent(state, amount, atMs)),
  adjust: (state, { amount, direction, reason, expiry }, atMs) =>
    direction === 'in'
      ? moved('adjust', amount, amount, 'adjusted', {
          ...lotsDetail(expiringLots(state, amount, expiry, atMs)),
          reason,
        })
      : moved('adjust', amount, -amount, 'adjusted', { ...spent(state, amount, atMs), reason }),
  hold: (state, { amount, expiresInS }, atMs) => {
    const detail = { ...spent(state, amount, atMs), hold_expires_ms: atMs + expiresInS * 1_000 };
    return { ...moved('hold', amount, 0, 'redeemed', detail), heldDelta: amount };
  },
  capture: planCapture,
  release: (state, command) => planRelease(state, openHold(state, command.hold), false),
  reverse: planReverse,
  transfer_out: (state, { amount, partner, across }, atMs) => {
    const detail = { ...spent(state, amount, atMs), partner, ...(across === true && { across }) };
    return moved('transfer_out', amount, -amount, 'transit', detail);
  },
  return: planReturn,
  transfer_in: (state, { amount, partner, lots }) =>
    moved('transfer_in', amount, amount, 'transit', { ...lotsDetail(beyondDeficit(state, lots ?? noLots)), partner }),
  freeze: (_state, { reason }) => moved('freeze', 0, 0, 'adjusted', { reason }),
  unfreeze: (_state, { reason }) => moved('unfreeze', 0, 0, 'adjusted', { reason }),
  clear: planClear,
  decline: () => {
    throw new InvariantViolation('what is declined is refused');
  },
  due: planDue,
};

/** What a command moves that no guard refuses. */
export function plan(state: AccountState, command: Command, atMs: number): Planned {
  return (plans[command.kind] as Plan<Command>)(state, command, atMs);
}

function planEarn(state: AccountState, amount: number, expiry: ExpiryRule | null, atMs: number): Planned {
  const paid = Math.min(amount, state.owed);
  const lots = expiringLots(state, amount - paid, expiry, atMs);
  const detail = paid === 0 ? lotsDetail(lots) : { ...lotsDetail(lots), owed: paid };
  return moved('earn', amount, amount - paid, 'issued', detail);
}

function planCapture(state: AccountState, command: CommandOf<'capture'>): Planned {
  const hold = openHold(state, command.hold);
  const amount = command.amount ?? hold.amount;
  const released = command.final ? hold.amount - amount : 0;
  const captured = firstOf(hold.lots, amount);
  // What is set free are the hold's last points.
  const free = released === 0 ? noLots : beyondDeficit(state, between(hold.lots, amount, hold.amount));
  const detail: PostingDetail = {
    ...lotsDetail(free),
    hold: hold.version,
    ...(released > 0 && { released }),
    ...(captured.length > 0 && { captured }),
  };
  return { ...moved('capture', amount, -amount, 'redeemed', detail), heldDelta: -amount - released };
}

function planRelease(state: AccountState, hold: Hold, due: boolean): Planned {
  const detail: PostingDetail = {
    ...lotsDetail(beyondDeficit(state, hold.lots)),
    hold: hold.version,
    ...(due && { due }),
  };
  return { ...moved('release', hold.amount, 0, 'redeemed', detail), heldDelta: -hold.amount };
}

function planReverse(state: AccountState, command: CommandOf<'reverse'>, atMs: number): Planned {
  const { original, reason } = command;
  const contra = contraOfReversal(original.kind);
  assert(contra !== undefined, 'only what is reversible is reversed');
  const amount = reversalAmount(state, command);
  const taken = cameIn(original) ? takenBack(state, command, atMs) : null;
  const lots = taken === null ? beyondDeficit(state, givenBack(state, command)) : negated(taken.lots);
  const owed = taken?.owed ?? 0;
  const detail: PostingDetail = {
    ...lotsDetail(lots),
    reverses: original.version,
    ...(owed > 0 && { owed }),
    ...(reason !== null && { reason }),
  };
  const delta = taken === null ? amount : 0 - taken.points;
  return { ...moved('reverse', amount, delta, contra, detail), reversalOf: original.transactionId };
}

/** To the lots that they came from. Not one of the account's reversals: those are bounded, and nobody asked for this one. */
function planReturn(state: AccountState, { original }: CommandOf<'return'>): Planned {
  const { amount, version } = original;
  const lots = beyondDeficit(state, negated(original.detail?.lots ?? noLots));
  const detail: PostingDetail = { ...lotsDetail(lots), returns: version };
  return { ...moved('reverse', amount, amount, 'transit', detail), reversalOf: original.transactionId };
}

/** What is beyond the bound of one posting stays, for the next one. */
function planClear(state: AccountState, command: CommandOf<'clear'>, atMs: number): Planned {
  const { as } = command;
  const amount = Math.min(clearable(state, command, atMs), limits.amountMax);
  const isExpiry = as.kind === 'expire';
  const lots = isExpiry ? lotsDetail(negated(firstOf(state.lots, amount))) : spent(state, amount, atMs);
  const detail = { ...lots, cleared: true } as const;
  switch (as.kind) {
    case 'redeem':
      return moved('redeem', amount, -amount, 'redeemed', detail);
    case 'adjust':
      return moved('adjust', amount, -amount, 'adjusted', { ...detail, reason: as.reason });
    case 'transfer_out': {
      const { partner } = as;
      return moved('transfer_out', amount, -amount, 'transit', { ...detail, partner, across: true });
    }
    case 'expire':
      return moved('expire', amount, -amount, 'expired', { ...detail, due: true });
  }
}

/** Holds come first: what they give back may be due too. */
function planDue(state: AccountState, _command: CommandOf<'due'>, atMs: number): Planned {
  let earliest: Hold | null = null;
  for (const hold of state.holds) {
    if (hold.expiresAtMs <= atMs && (earliest === null || hold.expiresAtMs < earliest.expiresAtMs)) earliest = hold;
  }
  if (earliest !== null) return planRelease(state, earliest, true);
  // A posting's amount is bounded; what is beyond stays due, for the next one.
  const lots = firstOf(dueLots(state.lots, atMs), limits.amountMax);
  const amount = sumOf(lots);
  assert(amount > 0, 'what expires was due');
  return moved('expire', amount, -amount, 'expired', { lots: negated(lots), due: true });
}

function moved(
  kind: TransactionKind,
  amount: number,
  balanceDelta: number,
  contra: ProgramAccountRole,
  detail: PostingDetail | null,
): Planned {
  return { kind, amount, balanceDelta, heldDelta: 0, contra, detail, reversalOf: null };
}

function openHold(state: AccountState, version: number): Hold {
  const hold = holdOf(state, version);
  assert(hold !== undefined, 'a hold that no guard refused is open');
  return hold;
}

/** Which lots give `amount` points: the first-expiring ones; what they lack never expires. */
function spent(state: AccountState, amount: number, atMs: number): PostingDetail | null {
  if (state.lots.length === 0) return null;
  return lotsDetail(negated(firstOf(liveLots(state.lots, atMs), amount)));
}

function expiringLots(state: AccountState, gain: number, expiry: ExpiryRule | null, atMs: number): readonly Lot[] {
  if (expiry === null || gain === 0) return noLots;
  const day = expiryDay(expiry, atMs);
  assert(lotDueAtMs(day) > atMs, 'points expire later than they come');
  return beyondDeficit(state, [[day, gain]]);
}

/** Points that come into a balance below zero make that up first, the first-expiring ones before the others. */
function beyondDeficit(state: AccountState, lots: readonly Lot[]): readonly Lot[] {
  const available = availableOf(state);
  return available >= 0 ? lots : between(lots, -available, Number.POSITIVE_INFINITY);
}

function lotsDetail(lots: readonly Lot[]): PostingDetail | null {
  return lots.length === 0 ? null : { lots };
}
