/**
 * What can become of a reward, and of a redemption: each a table. Pure.
 *
 * - R1 a redemption stands in its table before anything moves; each step of it has a key made of its id, so whoever goes on with
 *   it finds what was done.
 * - R2 one of the stock, and of each limit, is taken with the row, and given back with the status that ends it without a reward.
 * - R3 decided is only by what is durable: the ledger's receipt, or a refusal that will be the same next time. Trouble is none.
 */
import { randomBytes } from 'node:crypto';
import { giftcardCodes, type rewards as wire } from '@local-plus/contracts';

export type RewardChange = 'publish' | 'withdraw';

const rewardStates: Readonly<Record<wire.RewardStatus, Partial<Record<RewardChange, wire.RewardStatus>>>> = {
  draft: { publish: 'published', withdraw: 'withdrawn' },
  published: { withdraw: 'withdrawn' },
  withdrawn: {},
};

/** From where a change leads, and where to. */
export function transitionOf(change: RewardChange): { from: readonly wire.RewardStatus[]; to: wire.RewardStatus } {
  const all = Object.entries(rewardStates) as [wire.RewardStatus, (typeof rewardStates)[wire.RewardStatus]][];
  const from = all.filter(([, to]) => to[change] !== undefined).map(([status]) => status);
  const to = from[0] === undefined ? undefined : rewardStates[from[0]][change];
  if (to === undefined) throw new Error('a change leads somewhere');
  return { from, to };
}

/**
 *     pending    take the points ─ taken → completed; of a gift card: burned ─ refused → refused
 *     burned     issue the card ─ issued → completed ─ cannot be issued → returning
 *     returning  give the points back → refused; the ledger may refuse them for now: again later, after longer and longer pauses
 *     completed  (rests; asked to be cancelled → cancelling)
 *     cancelling give the points back ─ given back → cancelled ─ refused → completed
 */
export type Status = 'pending' | 'burned' | 'completed' | 'returning' | 'refused' | 'cancelling' | 'cancelled';
export type Happening =
  | 'taken'
  | 'taken_for_card'
  | 'not_taken'
  | 'issued'
  | 'not_issued'
  | 'asked_to_cancel'
  | 'given_back'
  | 'not_given_back';

const redemptionStates: Readonly<Record<Status, Partial<Record<Happening, Status>>>> = {
  pending: { taken: 'completed', taken_for_card: 'burned', not_taken: 'refused' },
  burned: { issued: 'completed', not_issued: 'returning' },
  returning: { given_back: 'refused' },
  completed: { asked_to_cancel: 'cancelling' },
  cancelling: { given_back: 'cancelled', not_given_back: 'completed' },
  refused: {},
  cancelled: {},
};

export function after(status: Status, happening: Happening): Status {
  const next = redemptionStates[status][happening];
  if (next === undefined) throw new Error(`a redemption that is ${status} is not ${happening}`);
  return next;
}

/** Whether it stays there by itself. */
export const isAtRest: Readonly<Record<Status, boolean>> = {
  pending: false,
  burned: false,
  returning: false,
  cancelling: false,
  completed: true,
  refused: true,
  cancelled: true,
};

const CODE_CHARS = 16;

/** 80 bits of the CSPRNG, grouped for people. */
export function drawCode(): string {
  const { codeAlphabet } = giftcardCodes;
  // A byte has eight times the 32 characters: none is likelier.
  const characters = [...randomBytes(CODE_CHARS)].map((byte) => codeAlphabet.charAt(byte % codeAlphabet.length));
  return characters.join('').replaceAll(/(.{4})(?=.)/g, '$1-');
}
