/**
 * What may be done with a gift card in which state, and the state after it: the one table. Guards, the API's document and
 * `core/giftcard/ACTIVITIES.md` are made of it.
 *
 * - A1 a state that does not stand in an activity's row refuses it: see {@link refusals}.
 * - A2 where two states can follow, what is left decides: a card with nothing left, and nothing held, is `exhausted`.
 * - A3 `deactivated` and `expired` are left by nothing.
 */
import type { ProblemCode } from './problems.ts';

export const giftcardStates = ['pending', 'active', 'exhausted', 'blocked', 'expired', 'deactivated'] as const;
export type GiftcardState = (typeof giftcardStates)[number];

/** For people: what a state means. */
export const giftcardStateMeanings: Readonly<Record<GiftcardState, string>> = {
  pending: 'Issued, and not activated yet: it has no balance.',
  active: 'It can be used.',
  exhausted: 'Active, with nothing left and nothing held; a load makes it active again.',
  blocked: 'Nothing can be loaded, redeemed, held or captured until it is unblocked.',
  expired: 'Its last day is over. What was held can still be captured; what is left expires.',
  deactivated: 'For good. What was left was cleared, or went to the card that replaced it.',
};

/** Why a state refuses: what the row knows is said before the ledger is asked, which is asked of all that is held, too. */
export const refusals: Readonly<Record<GiftcardState, readonly ProblemCode[]>> = {
  pending: ['giftcard_pending'],
  active: ['account_not_frozen', 'giftcard_active'],
  exhausted: ['insufficient_funds', 'account_not_frozen', 'giftcard_active'],
  blocked: ['account_frozen', 'giftcard_active'],
  expired: ['giftcard_expired'],
  deactivated: ['giftcard_deactivated', 'account_frozen'],
};

/** The types of gift-card activities of Square's API, in its order. */
export const squareTypes = [
  'ACTIVATE',
  'LOAD',
  'REDEEM',
  'CLEAR_BALANCE',
  'DEACTIVATE',
  'ADJUST_INCREMENT',
  'ADJUST_DECREMENT',
  'REFUND',
  'UNLINKED_ACTIVITY_REFUND',
  'IMPORT',
  'BLOCK',
  'UNBLOCK',
  'IMPORT_REVERSAL',
  'TRANSFER_BALANCE_FROM',
  'TRANSFER_BALANCE_TO',
] as const;
export type SquareType = (typeof squareTypes)[number];

type Following = readonly [GiftcardState, ...GiftcardState[]];

interface ActivityRow {
  /** What it does, for people. */
  readonly does: string;
  /** What Square calls it; null: it has no such. */
  readonly square: SquareType | null;
  /** `new`: there was no card before it. */
  readonly follows: Readonly<Partial<Record<GiftcardState | 'new', Following>>>;
}

const used: Following = ['active', 'exhausted'];

export const giftcardActivityTable = {
  issue: { does: 'A card comes into being, with a code.', square: null, follows: { new: ['pending'] } },
  import: {
    does: "A card with a balance comes from another system, under that system's id.",
    square: 'IMPORT',
    follows: { new: ['active'] },
  },
  activate: {
    does: 'The first load, with the amount that it was issued for.',
    square: 'ACTIVATE',
    follows: { pending: used },
  },
  load: { does: 'Puts an amount on it.', square: 'LOAD', follows: { active: ['active'], exhausted: ['active'] } },
  redeem: { does: 'Spends an amount, or all that is available.', square: 'REDEEM', follows: { active: used } },
  refund: {
    does: 'Gives back what a redemption or a capture of this card spent, wholly or in parts, and never more.',
    square: 'REFUND',
    follows: { active: ['active'], exhausted: ['active'], blocked: ['blocked'] },
  },
  unlinked_refund: {
    does: 'Puts an amount on it for something that was paid for otherwise; with a reason.',
    square: 'UNLINKED_ACTIVITY_REFUND',
    follows: { active: ['active'], exhausted: ['active'] },
  },
  hold: { does: 'Sets an amount aside.', square: null, follows: { active: ['active'] } },
  capture: {
    does: 'Spends what was held, wholly or in part.',
    square: null,
    follows: { active: used, expired: ['expired'] },
  },
  release: {
    does: 'Gives back what was held; also by itself, when its time is over.',
    square: null,
    follows: { active: ['active'], blocked: ['blocked'], expired: ['expired'], deactivated: ['deactivated'] },
  },
  adjust_increment: {
    does: 'Corrects the balance upwards; with a reason.',
    square: 'ADJUST_INCREMENT',
    follows: { active: ['active'], exhausted: ['active'], blocked: ['blocked'] },
  },
  adjust_decrement: {
    does: 'Corrects the balance downwards; with a reason.',
    square: 'ADJUST_DECREMENT',
    follows: { active: used, blocked: ['blocked'] },
  },
  clear_balance: {
    does: 'Takes all that is available away; with a reason.',
    square: 'CLEAR_BALANCE',
    follows: { active: used, blocked: ['blocked'] },
  },
  reverse_import: {
    does: 'Takes all back that an import brought, if none of it is spent.',
    square: 'IMPORT_REVERSAL',
    follows: { active: used, blocked: ['blocked'] },
  },
  block: {
    does: 'From its answer on nothing is redeemed.',
    square: 'BLOCK',
    follows: { active: ['blocked'], exhausted: ['blocked'] },
  },
  unblock: { does: 'It can be used again.', square: 'UNBLOCK', follows: { blocked: used } },
  link: {
    does: 'It belongs to a customer.',
    square: null,
    follows: { pending: ['pending'], active: ['active'], exhausted: ['exhausted'], blocked: ['blocked'] },
  },
  unlink: {
    does: 'It belongs to nobody.',
    square: null,
    follows: { pending: ['pending'], active: ['active'], exhausted: ['exhausted'], blocked: ['blocked'] },
  },
  transfer_out: {
    does: 'An amount, or all that is available, goes to another card of the program.',
    square: 'TRANSFER_BALANCE_TO',
    follows: { active: used },
  },
  transfer_in: {
    does: 'An amount comes from another card of the program.',
    square: 'TRANSFER_BALANCE_FROM',
    follows: { active: ['active'], exhausted: ['active'] },
  },
  transfer_return: {
    does: 'What went to another card comes back, because that card refused it.',
    square: null,
    follows: {
      active: ['active'],
      exhausted: ['active'],
      blocked: ['blocked'],
      expired: ['expired'],
      deactivated: ['deactivated'],
    },
  },
  replace: {
    does: 'A lost card: its balance goes to a new card with a new code, and it is deactivated.',
    square: null,
    follows: { active: ['deactivated'], exhausted: ['deactivated'], blocked: ['deactivated'] },
  },
  expire: {
    does: "The last day of a card ends in the merchant's time zone; what is left goes to the program's expired account.",
    square: null,
    follows: { pending: ['expired'], active: ['expired'], exhausted: ['expired'], blocked: ['expired'] },
  },
  deactivate: {
    does: 'It is blocked for good, and what is available is cleared.',
    square: 'DEACTIVATE',
    follows: {
      pending: ['deactivated'],
      active: ['deactivated'],
      exhausted: ['deactivated'],
      blocked: ['deactivated'],
    },
  },
} as const satisfies Record<string, ActivityRow>;

export type GiftcardActivityKind = keyof typeof giftcardActivityTable;
export const giftcardActivityKinds = Object.keys(giftcardActivityTable) as GiftcardActivityKind[];

/** The states that can follow; empty: it is refused. */
export function following(kind: GiftcardActivityKind, from: GiftcardState | 'new'): readonly GiftcardState[] {
  return (giftcardActivityTable[kind] as ActivityRow).follows[from] ?? [];
}

export function isAllowed(kind: GiftcardActivityKind, from: GiftcardState): boolean {
  return following(kind, from).length > 0;
}

/** A sentence of the API's document. */
export function statesOf(kind: GiftcardActivityKind): string {
  const follows = Object.entries((giftcardActivityTable[kind] as ActivityRow).follows) as [string, Following][];
  const told = follows.map(([from, to]) => `\`${from}\` → ${to.map((state) => `\`${state}\``).join(' or ')}`);
  return `State before and after: ${told.join(', ')}.`;
}
