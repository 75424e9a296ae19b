/** A shorthand for the machine's tests: commands, histories that lead to a state, and what came out as one line. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type AccountId,
  limits,
  type ProgramId,
  programAccount,
  programAccountRoles,
  type TransactionId,
} from '@local-plus/contracts';
import { detailText } from '../chain.ts';
import {
  type AccountState,
  type Command,
  type CommandOf,
  type Decision,
  type DeclineCode,
  decide,
  type ExpiryRule,
  type Grant,
  type Lot,
  type Original,
  openedAccount,
  type Posting,
  type ReversalPolicy,
} from '../domain.ts';

export const programId = '01890000-0000-7000-8000-000000000000' as ProgramId;
export const partner = '01890000-0000-7000-8000-0000000000aa' as AccountId;

/** Noon of a day since 1970, UTC. */
export const noonOf = (day: number): number => (day + 0.5) * 86_400_000;

/** Points earned today can be spent until that many days from now are over. */
const inDays = (days: number | undefined): ExpiryRule | null =>
  days === undefined ? null : { period: 'days', count: days, endOfMonth: false };

export const earn = (amount: number, days?: number): Command => ({
  kind: 'earn',
  amount,
  programId,
  expiry: inDays(days),
});
export const rulesId = '01890000-0000-7000-8000-0000000000bb';
export const purchase = (
  first: readonly Grant[],
  later: readonly Grant[] = first,
  days: number | undefined = undefined,
): Command => ({ kind: 'purchase', rules: rulesId, first, later, programId, expiry: inDays(days) });
/** Points under caps, each `[name, last day of its window, max]`. */
export const grant = (points: number, ...caps: readonly (readonly [string, number, number])[]): Grant => ({
  points,
  caps: caps.map(([counter, day, max]) => ({ counter, untilMs: (day + 1) * 86_400_000, max })),
});
export const burn = (amount: number): Command => ({ kind: 'burn', amount, programId });
export const load = (amount: number): Command => ({ kind: 'load', amount, programId });
export const redeem = (amount: number): Command => ({ kind: 'redeem', amount, programId });
export const adjust = (direction: 'in' | 'out', amount: number, days?: number): Command => ({
  kind: 'adjust',
  amount,
  direction,
  reason: 'why',
  programId,
  expiry: inDays(days),
});
export const hold = (amount: number, expiresInS = 3_600): Command => ({ kind: 'hold', amount, expiresInS, programId });
export const capture = (version: number, amount: number | null, final = false): Command => ({
  kind: 'capture',
  hold: version,
  amount,
  final,
  programId,
});
export const release = (version: number): Command => ({ kind: 'release', hold: version, programId });
export const transferOut = (amount: number): Command => ({ kind: 'transfer_out', amount, partner, programId });
export const transferAcross = (amount: number): Command => ({ ...transferOut(amount), across: true }) as Command;
export const giveBack =
  (version: number) =>
  (postings: readonly Posting[]): CommandOf<'return'> => ({
    kind: 'return',
    original: originalOf(postings[version - 1] as Posting),
    programId,
  });
export const transferIn = (amount: number, lots?: readonly Lot[]): Command => ({
  kind: 'transfer_in',
  amount,
  partner,
  programId,
  ...(lots !== undefined && { lots }),
});
export const freeze: Command = { kind: 'freeze', reason: 'lost', programId };
export const unfreeze: Command = { kind: 'unfreeze', reason: 'found', programId };
export const clear = (kind: 'redeem' | 'expire' | 'adjust' | 'transfer_out', evenFrozen = false): Command => {
  if (kind === 'adjust') return { kind: 'clear', as: { kind, reason: 'why' }, programId };
  return { kind: 'clear', as: kind === 'transfer_out' ? { kind, partner, evenFrozen } : { kind }, programId };
};
export const decline = (code: DeclineCode): Command => ({ kind: 'decline', of: 'redeem', amount: 3, code, programId });
export const refund = (amount: number): Command => ({ kind: 'load', amount, reason: 'why', programId });
export const due: Command = { kind: 'due', programId };

export const refuse: ReversalPolicy = { type: 'refuse' };
export const negative = (limit: number): ReversalPolicy => ({ type: 'negative', limit });
export const recover: ReversalPolicy = { type: 'recover' };

/** A command that needs to know what happened before. */
type Asked = Command | ((postings: readonly Posting[]) => Command);

export const reverse =
  (version: number, amount: number | null = null, policy: ReversalPolicy = refuse, reason: string | null = null) =>
  (postings: readonly Posting[]): CommandOf<'reverse'> => ({
    kind: 'reverse',
    original: originalOf(postings[version - 1] as Posting),
    amount,
    reason,
    policy,
    programId,
  });

export function originalOf(posting: Posting): Original {
  const { version, kind, amount, balanceDelta, detail } = posting;
  return { transactionId: transactionIdOf(version), version, kind, amount, balanceDelta, detail };
}

export const transactionIdOf = (version: number): TransactionId => `transaction ${version}` as TransactionId;

/** Loads up to the largest balance less `below`. */
export function toTheLimit(below: number): readonly Step[] {
  const { amountMax, balanceMax } = limits;
  const whole = Math.floor(balanceMax / amountMax);
  return [...Array.from({ length: whole }, () => load(amountMax)), load(balanceMax - whole * amountMax - below)];
}

/** A command; a number: from here on it is noon of that day. */
export type Step = Asked | number;

/** An account's past, from its opening at noon of day 0. */
export class History {
  state: AccountState = openedAccount;
  readonly postings: Posting[] = [];
  /** By version. */
  readonly states: AccountState[] = [openedAccount];
  nowMs = noonOf(0);

  constructor(steps: readonly Step[] = []) {
    for (const step of steps) {
      if (typeof step === 'number') this.nowMs = noonOf(step);
      else this.post(step);
    }
  }

  ask(asked: Asked): Decision {
    return decide(this.state, typeof asked === 'function' ? asked(this.postings) : asked, this.nowMs);
  }

  post(asked: Asked): Posting {
    const decision = this.ask(asked);
    assert.ok(decision.type === 'post', `refused: ${decision.type === 'refuse' && decision.code}`);
    this.state = decision.state;
    this.states.push(decision.state);
    this.postings.push(decision.posting);
    return decision.posting;
  }
}

/**
 * What came out: the refusal's code, or `<change> → <balance>/<held> <day>:<points> … <other leg> <detail>`, with
 * `frozen` and `owes <points>` where it is so.
 */
export function told(decision: Decision): string {
  if (decision.type === 'refuse') return decision.code;
  const { posting, state } = decision;
  const roles = Object.keys(programAccountRoles) as (keyof typeof programAccountRoles)[];
  return [
    `${posting.balanceDelta} → ${posting.balanceAfter}/${posting.heldAfter}`,
    ...state.lots.map((lot) => lot.join(':')),
    ...(state.frozen ? ['frozen'] : []),
    ...(state.owed > 0 ? [`owes ${state.owed}`] : []),
    roles.find((role) => programAccount(programId, role) === posting.contraAccountId),
    detailText(posting.detail) ?? '',
  ]
    .join(' ')
    .trimEnd();
}

/** What holds, the account's past, what is asked of it, and what must come out. */
export type Row = readonly [string, readonly Step[], Asked, string];

/** A table of cases per group. */
export function describeRows(groups: Readonly<Record<string, readonly Row[]>>): void {
  for (const [group, rows] of Object.entries(groups)) {
    describe(group, () => {
      for (const [title, past, asked, expected] of rows) {
        it(`${title}: ${expected}`, () => assert.equal(told(new History(past).ask(asked)), expected));
      }
    });
  }
}
