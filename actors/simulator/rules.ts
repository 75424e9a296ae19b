/**
 * What commands mean, in the plainest words: why an account refuses one, and what it moves. The reference for the machine;
 * it shares nothing with it but the types.
 */
import { limits, type ProgramAccountRole } from '@local-plus/contracts';
import type { Command, Original, RefusalCode, TransactionKind } from '../account/model.ts';

/** What moves, and with whom. */
export interface Expected {
  readonly kind: TransactionKind;
  readonly amount: number;
  readonly delta: number;
  readonly heldDelta: number;
  readonly contra: ProgramAccountRole;
  /** By how much the debt grows. */
  readonly owed: number;
}

export interface HeldPoints {
  amount: number;
  readonly expiresAtMs: number;
}

/** What the rules ask of an account. */
export interface Account {
  readonly balance: number;
  readonly held: number;
  readonly frozen: boolean;
  readonly owed: number;
  /** By version. */
  readonly holds: ReadonlyMap<number, HeldPoints>;
  /** Of the transaction with that version. */
  reversed(version: number): number;
  /** Points of lots whose day is over. */
  dueLots(atMs: number): number;
  /** The earliest hold that is due. */
  dueHold(atMs: number): HeldPoints | null;
}

type Reversal = Extract<Command, { kind: 'reverse' }>;
type Capture = Extract<Command, { kind: 'capture' }>;

/** What a frozen account still does. */
const thawed = new Set<Command['kind']>([
  ...(['adjust', 'release', 'reverse', 'return', 'due', 'unfreeze', 'clear', 'decline'] as const),
]);
const cameIn = new Set<TransactionKind>(['earn', 'load']);
const reversible = new Set<TransactionKind>(['earn', 'load', 'burn', 'redeem', 'capture', 'adjust']);

/** null: nothing stands in its way. */
export function whyNot(account: Account, command: Command, atMs: number): RefusalCode | null {
  if (account.frozen && !thawed.has(command.kind)) return 'account_frozen';
  switch (command.kind) {
    case 'earn':
    case 'load':
    case 'transfer_in':
      return whyNotIn(account, command.amount);
    case 'purchase':
      throw new RangeError('clients of a history make no purchases');
    case 'burn':
    case 'redeem':
    case 'transfer_out':
    case 'hold':
      return whyNotOut(account, command.amount, atMs);
    case 'adjust':
      return command.direction === 'in' ? whyNotIn(account, command.amount) : whyNotOut(account, command.amount, atMs);
    case 'capture':
      return whyNotCapture(account, command, atMs);
    case 'release':
      return account.holds.has(command.hold) ? null : 'hold_closed';
    case 'reverse':
      return whyNotReverse(account, command, atMs);
    case 'freeze':
    case 'return':
      return null;
    case 'unfreeze':
      return account.frozen ? null : 'account_not_frozen';
    case 'clear':
      if (account.frozen && command.as.kind === 'redeem') return 'account_frozen';
      return toClear(account, command, atMs) > 0 ? null : 'insufficient_funds';
    case 'decline':
      return command.code;
    case 'due':
      return account.dueHold(atMs) === null && account.dueLots(atMs) === 0 ? 'nothing_due' : null;
  }
}

function whyNotIn(account: Account, gain: number): RefusalCode | null {
  return account.balance > limits.balanceMax - gain ? 'balance_limit_exceeded' : null;
}

function whyNotOut(account: Account, amount: number, atMs: number): RefusalCode | null {
  return spendable(account, atMs) < amount ? 'insufficient_funds' : null;
}

function whyNotCapture(account: Account, command: Capture, atMs: number): RefusalCode | null {
  const hold = account.holds.get(command.hold);
  if (hold === undefined || hold.expiresAtMs <= atMs) return 'hold_closed';
  return (command.amount ?? 0) > hold.amount ? 'capture_exceeds_hold' : null;
}

function whyNotReverse(account: Account, command: Reversal, atMs: number): RefusalCode | null {
  const { original, policy } = command;
  if (!reversible.has(original.kind)) return 'not_reversible';
  const rest = reversibleRest(account, original);
  if (rest < Math.max(command.amount ?? rest, 1)) return 'reversal_exceeds_original';
  const asked = askedBack(account, command);
  if (asked === 0 || asked <= spendable(account, atMs) || policy.type === 'recover') return null;
  if (policy.type === 'negative' && account.balance - account.held - asked >= -policy.limit) return null;
  return 'insufficient_funds';
}

/** What a command moves that is not refused. */
export function expected(account: Account, command: Command, atMs: number): Expected {
  const { kind } = command;
  switch (kind) {
    case 'earn': {
      const paid = Math.min(command.amount, account.owed);
      return { ...moves(kind, command.amount, command.amount - paid, 'issued'), owed: -paid };
    }
    case 'purchase':
      throw new RangeError('clients of a history make no purchases');
    case 'load':
      return moves(kind, command.amount, command.amount, 'issued');
    case 'burn':
    case 'redeem':
      return moves(kind, command.amount, -command.amount, 'redeemed');
    case 'adjust':
      return moves(kind, command.amount, command.direction === 'in' ? command.amount : -command.amount, 'adjusted');
    case 'hold':
      return moves(kind, command.amount, 0, 'redeemed', command.amount);
    case 'capture': {
      const held = account.holds.get(command.hold)?.amount ?? 0;
      const amount = command.amount ?? held;
      return moves(kind, amount, -amount, 'redeemed', command.final ? -held : -amount);
    }
    case 'release': {
      const held = account.holds.get(command.hold)?.amount ?? 0;
      return moves(kind, held, 0, 'redeemed', -held);
    }
    case 'reverse':
      return expectedReversal(account, command, atMs);
    case 'transfer_out':
      return moves(kind, command.amount, -command.amount, 'transit');
    case 'transfer_in':
      return moves(kind, command.amount, command.amount, 'transit');
    case 'return':
      return moves('reverse', command.original.amount, command.original.amount, 'transit');
    case 'freeze':
    case 'unfreeze':
      return moves(kind, 0, 0, 'adjusted');
    case 'clear': {
      const amount = toClear(account, command, atMs);
      return moves(command.as.kind, amount, -amount, contraOfClear[command.as.kind]);
    }
    case 'decline':
      throw new RangeError('what is declined moves nothing');
    case 'due':
      return expectedDue(account, atMs);
  }
}

const contraOfClear = { redeem: 'redeemed', adjust: 'adjusted', expire: 'expired', transfer_out: 'transit' } as const;

function toClear(account: Account, { as }: Extract<Command, { kind: 'clear' }>, atMs: number): number {
  return as.kind === 'expire' ? account.balance - account.held : spendable(account, atMs);
}

function expectedDue(account: Account, atMs: number): Expected {
  const hold = account.dueHold(atMs);
  if (hold !== null) return moves('release', hold.amount, 0, 'redeemed', -hold.amount);
  const due = account.dueLots(atMs);
  return moves('expire', due, -due, 'expired');
}

function expectedReversal(account: Account, command: Reversal, atMs: number): Expected {
  const { original, policy } = command;
  const amount = command.amount ?? reversibleRest(account, original);
  if (original.kind === 'adjust' && original.balanceDelta < 0) return moves('reverse', amount, amount, 'adjusted');
  if (original.kind !== 'adjust' && !cameIn.has(original.kind)) return moves('reverse', amount, amount, 'redeemed');
  const asked = askedBack(account, command);
  const points = policy.type === 'recover' ? Math.min(asked, Math.max(spendable(account, atMs), 0)) : asked;
  const contra = original.kind === 'adjust' ? 'adjusted' : 'issued';
  return { ...moves('reverse', amount, 0 - points, contra), owed: amount - points };
}

function moves(
  kind: TransactionKind,
  amount: number,
  delta: number,
  contra: ProgramAccountRole,
  heldDelta = 0,
): Expected {
  return { kind, amount, delta, heldDelta, contra, owed: 0 };
}

function spendable(account: Account, atMs: number): number {
  return account.balance - account.held - account.dueLots(atMs);
}

function reversibleRest(account: Account, original: Original): number {
  return original.amount - account.reversed(original.version);
}

/** Of the reversal of what came in: what the balance is asked for; the rest was debt, and is owed again. */
function askedBack(account: Account, command: Reversal): number {
  const { original } = command;
  if (!cameIn.has(original.kind) && original.balanceDelta <= 0) return 0;
  const left = Math.max(original.balanceDelta - account.reversed(original.version), 0);
  return Math.min(command.amount ?? reversibleRest(account, original), left);
}
