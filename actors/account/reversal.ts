/**
 * Undoing an earlier transaction, wholly or in parts. A part continues where the parts before it stopped, backwards from
 * the original's last point.
 *
 * Reversing what came in takes points; reversing what went out gives them back to the lots that they came from. An earn
 * that paid back debt is undone in the opposite order too: first what it brought into the balance, then the debt is owed
 * again. So every reversal lowers balance − owed by its amount, exactly as the earn raised it.
 */
import type { ProgramAccountRole } from '@local-plus/contracts';
import { between, changedLots, dueLots, firstOf, firstOfDay, liveLots, noLots } from './lots.ts';
import type { AccountState, CommandOf, Lot, Original, TransactionKind } from './model.ts';
import { availableOf, reversedOf, spendableOf } from './state.ts';

export type ReverseCommand = CommandOf<'reverse'>;

/**
 * What can be reversed, and the other leg. Not: a hold (release it), a release and an expiry (time, not a mistake), a
 * reversal (do it again), a transfer (it moved two accounts: send it back), a freeze (unfreeze).
 */
const contras: Readonly<Partial<Record<TransactionKind, ProgramAccountRole>>> = {
  earn: 'issued',
  load: 'issued',
  burn: 'redeemed',
  redeem: 'redeemed',
  capture: 'redeemed',
  adjust: 'adjusted',
};

export function contraOfReversal(kind: TransactionKind): ProgramAccountRole | undefined {
  return contras[kind];
}

/** An earn that only paid back debt came in too, though its delta is 0. */
export function cameIn(original: Original): boolean {
  return original.balanceDelta >= 0;
}

/** What of the original has not been reversed yet. */
export function reversibleRest(state: AccountState, original: Original): number {
  return original.amount - reversedOf(state, original.version);
}

export function reversalAmount(state: AccountState, command: ReverseCommand): number {
  return command.amount ?? reversibleRest(state, command.original);
}

/** Of what came in: the part of the reversal that the balance has to give; the rest is debt that is owed again. */
function askedOfBalance(state: AccountState, command: ReverseCommand): number {
  const { original } = command;
  const left = original.balanceDelta - reversedOf(state, original.version);
  return Math.min(reversalAmount(state, command), Math.max(left, 0));
}

/**
 * Whether the policy does not let the account give what the reversal takes. `negative` bounds what is available, so that
 * captures of holds, which are never refused for it, cannot bring the balance below its limit either.
 */
export function isReversalShort(state: AccountState, command: ReverseCommand, atMs: number): boolean {
  if (!cameIn(command.original)) return false;
  const asked = askedOfBalance(state, command);
  if (asked === 0 || asked <= spendableOf(state, atMs)) return false;
  switch (command.policy.type) {
    case 'refuse':
      return true;
    case 'negative':
      return availableOf(state) - asked < -command.policy.limit;
    case 'recover':
      return false;
  }
}

/** What the reversal of an incoming kind takes: points in all, which of them from lots, and what is owed instead. */
export interface Taken {
  readonly points: number;
  readonly lots: readonly Lot[];
  readonly owed: number;
}

/**
 * From the lot of the original first, as far as it is still there; then first-expiring first; then what never expires.
 * Only under `negative`, and only when all that is short, lots whose day is over give before the balance falls below zero:
 * their expiry could not be posted any more.
 */
export function takenBack(state: AccountState, command: ReverseCommand, atMs: number): Taken {
  const asked = askedOfBalance(state, command);
  const spendable = Math.max(spendableOf(state, atMs), 0);
  const points = command.policy.type === 'recover' ? Math.min(asked, spendable) : asked;
  const owed = reversalAmount(state, command) - points;
  if (state.lots.length === 0) return { points, lots: noLots, owed };
  const lots = firstOfDay(liveLots(state.lots, atMs), points, command.original.detail?.lots?.[0]?.[0] ?? null);
  const overdrawn = firstOf(dueLots(state.lots, atMs), Math.max(points - spendable, 0));
  return { points, lots: changedLots(overdrawn, lots), owed };
}

/** Which lots the reversal of an outgoing kind gives back to: the original's last points first. */
export function givenBack(state: AccountState, command: ReverseCommand): readonly Lot[] {
  const { original } = command;
  const to = reversibleRest(state, original);
  return between(spentLots(original), to - reversalAmount(state, command), to);
}

/** The lots that an outgoing kind spent, in the order in which it did; its points beyond them never expired. */
function spentLots(original: Original): readonly Lot[] {
  if (original.kind === 'capture') return original.detail?.captured ?? noLots;
  return (original.detail?.lots ?? noLots).map(([day, change]): Lot => [day, -change]);
}
