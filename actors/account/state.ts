/** What follows from an account's state alone. */
import { noCounters } from './counters.ts';
import { dueLots, lotDueAtMs, noLots, sumOf } from './lots.ts';
import type { AccountHead, AccountState, CommandOf, Hold, Lot, Reversal } from './model.ts';

export const noHolds: readonly Hold[] = [];
export const noReversals: readonly Reversal[] = [];

export const openedAccount: AccountState = {
  version: 0,
  balance: 0,
  held: 0,
  lastAtMs: 0,
  frozen: false,
  owed: 0,
  lots: noLots,
  holds: noHolds,
  reversals: noReversals,
  counters: noCounters,
  baseVersion: null,
  dueAtMs: null,
};

/** The state of an account whose newest row says it all. */
export function plainState(head: AccountHead): AccountState {
  const { version, balance, held, lastAtMs } = head;
  return { ...openedAccount, version, balance, held, lastAtMs };
}

/** Below zero only after a reversal under the policy `negative`. */
export function availableOf(state: AccountState): number {
  return state.balance - state.held;
}

/** What commands can take at `atMs`: lots whose day is over count no more, whether or not their expiry is posted yet. */
export function spendableOf(state: AccountState, atMs: number): number {
  if (state.lots.length === 0) return state.balance - state.held;
  return state.balance - state.held - sumOf(dueLots(state.lots, atMs));
}

/** What a `clear` takes, unless one posting is too small for it: what expires may be due already, all else has to be spendable. */
export function clearable(state: AccountState, { as }: CommandOf<'clear'>, atMs: number): number {
  return as.kind === 'expire' ? availableOf(state) : spendableOf(state, atMs);
}

/** An open hold, by its version. */
export function holdOf(state: AccountState, version: number): Hold | undefined {
  return state.holds.find((hold) => hold.version === version);
}

/** How much of the transaction of that version has been reversed. */
export function reversedOf(state: AccountState, version: number): number {
  const { reversals } = state;
  const found = reversals[reversalPlace(reversals, version)];
  return found !== undefined && found[0] === version ? found[1] : 0;
}

/** Where the entry of that version stands, or would have to be put. */
export function reversalPlace(reversals: readonly Reversal[], version: number): number {
  let low = 0;
  let high = reversals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((reversals[middle] as Reversal)[0] < version) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The earliest moment at which one of them is due. */
export function earliestDueMs(lots: readonly Lot[], holds: readonly Hold[]): number | null {
  const first = lots[0];
  let earliest = first === undefined ? Number.POSITIVE_INFINITY : lotDueAtMs(first[0]);
  for (const hold of holds) earliest = Math.min(earliest, hold.expiresAtMs);
  return earliest === Number.POSITIVE_INFINITY ? null : earliest;
}
