/**
 * The state after a posting, from the posting alone: what `decide` made and what the store gives back lead to the same.
 *
 * I2: versions are dense; a balance is the sum of its deltas; held is the sum of the holds; lots and holds are covered by
 * the balance; what is available falls below zero by a reversal only. A store that hands out anything else is broken.
 */
import { limits } from '@local-plus/contracts';
import { changedCounters } from './counters.ts';
import { assert } from './invariant.ts';
import { accountLimits } from './limits.ts';
import { changedLots, negated, noLots, sumOf } from './lots.ts';
import type { AccountState, Hold, Posting, Reversal, TransactionKind } from './model.ts';
import type { Movement } from './movements.ts';
import { availableOf, earliestDueMs, noHolds, reversalPlace } from './state.ts';

/** Its `due` and `checkpoint` are not looked at: they follow from the state, and the store does not give them back. */
export function apply(state: AccountState, posting: Posting): AccountState {
  assert(posting.version === state.version + 1, 'versions are dense');
  assert(posting.balanceAfter === state.balance + posting.balanceDelta, 'a balance is the sum of its entries');
  const { kind, amount, balanceDelta, detail, baseVersion, occurredAtMs } = posting;
  const heldDelta = posting.heldAfter - state.held;
  return stateAfter(state, { kind, amount, balanceDelta, heldDelta, detail }, occurredAtMs, baseVersion);
}

/** @param baseVersion as the row has it; undefined: as the rule says */
export function stateAfter(
  state: AccountState,
  movement: Movement,
  atMs: number,
  baseVersion: number | null | undefined,
): AccountState {
  const { kind, detail } = movement;
  assert(fits[kind](movement), 'what moves follows from the kind and the amount');
  assert(Number.isSafeInteger(atMs) && atMs >= state.lastAtMs, 'times never run backwards');
  const lots = detail?.lots === undefined ? state.lots : changedLots(state.lots, detail.lots);
  const holds = movement.heldDelta === 0 ? state.holds : holdsAfter(state, movement);
  const isCounted = kind === 'reverse' && detail?.returns === undefined;
  const reversals = isCounted ? reversalsAfter(state, movement) : state.reversals;
  assert((detail?.returns ?? 0) <= state.version, 'what comes back had left');
  const counters =
    detail?.counters === undefined ? state.counters : changedCounters(state.counters, detail.counters, atMs);
  const owed = detail?.owed === undefined ? state.owed : state.owed + (kind === 'earn' ? -detail.owed : detail.owed);
  const frozen = kind === 'freeze' || (state.frozen && kind !== 'unfreeze');
  const isListless = lots.length === 0 && holds.length === 0 && reversals.length === 0 && counters.length === 0;
  const plain = isListless && owed === 0 && !frozen;
  const next: AccountState = {
    version: state.version + 1,
    balance: state.balance + movement.balanceDelta,
    held: state.held + movement.heldDelta,
    lastAtMs: atMs,
    frozen,
    owed,
    lots,
    holds,
    reversals,
    counters,
    baseVersion: baseVersion === undefined ? baseAfter(state, plain) : baseVersion,
    dueAtMs: lots === state.lots && holds === state.holds ? state.dueAtMs : earliestDueMs(lots, holds),
  };
  assert((next.baseVersion === null) === plain, 'a row says it all, or where to begin');
  assert((next.baseVersion ?? 0) <= next.version, 'restoring begins in the past');
  assertCovered(next);
  assert(
    availableOf(next) >= Math.min(availableOf(state), 0) || kind === 'reverse',
    'available falls below zero by a reversal only',
  );
  return next;
}

const movesIn = ({ amount, balanceDelta, heldDelta }: Movement): boolean =>
  isAmount(amount) && balanceDelta === amount && heldDelta === 0;
const movesOut = ({ amount, balanceDelta, heldDelta }: Movement): boolean =>
  isAmount(amount) && balanceDelta === -amount && heldDelta === 0;
const reverses = ({ amount, balanceDelta, heldDelta, detail }: Movement): boolean =>
  isAmount(amount) && Math.abs(balanceDelta) === amount - (detail?.owed ?? 0) && heldDelta === 0;
const movesNothing = ({ amount, balanceDelta, heldDelta }: Movement): boolean =>
  amount === 0 && balanceDelta === 0 && heldDelta === 0;

/** Per kind: what moves, given its amount. */
const fits: Readonly<Record<TransactionKind, (movement: Movement) => boolean>> = {
  earn: ({ amount, balanceDelta, heldDelta, detail }) =>
    isAmount(amount) && balanceDelta === amount - (detail?.owed ?? 0) && balanceDelta >= 0 && heldDelta === 0,
  burn: movesOut,
  load: movesIn,
  redeem: movesOut,
  adjust: (movement) => movesIn(movement) || movesOut(movement),
  hold: ({ amount, balanceDelta, heldDelta }) => isAmount(amount) && balanceDelta === 0 && heldDelta === amount,
  capture: ({ amount, balanceDelta, heldDelta, detail }) =>
    isAmount(amount) && balanceDelta === -amount && heldDelta === -amount - (detail?.released ?? 0),
  release: ({ amount, balanceDelta, heldDelta }) => isAmount(amount) && balanceDelta === 0 && heldDelta === -amount,
  reverse: (movement) => (movement.detail?.returns === undefined ? reverses(movement) : movesIn(movement)),
  expire: movesOut,
  transfer_out: movesOut,
  transfer_in: movesIn,
  freeze: movesNothing,
  unfreeze: movesNothing,
};

function isAmount(amount: number): boolean {
  return Number.isSafeInteger(amount) && amount >= limits.amountMin && amount <= limits.amountMax;
}

/** What holds of every state, wherever it came from. */
export function assertCovered(state: AccountState): void {
  const { balance, held, owed, lots } = state;
  assert(Number.isSafeInteger(balance) && Math.abs(balance) <= limits.balanceMax, 'a balance is within its bounds');
  assert(Number.isSafeInteger(held) && held >= 0, 'held is never negative');
  assert(Number.isSafeInteger(owed) && owed >= 0, 'no debt is paid twice');
  assert(lots.length === 0 || sumOf(lots) <= balance - held, 'lots are part of what is available');
}

/** See {@link AccountState.baseVersion}. */
function baseAfter(state: AccountState, plain: boolean): number | null {
  if (plain) return null;
  if (state.baseVersion === null) return state.version;
  const version = state.version + 1;
  return version - state.baseVersion >= accountLimits.checkpointEvery ? version : state.baseVersion;
}

function holdsAfter(state: AccountState, movement: Movement): readonly Hold[] {
  const { detail } = movement;
  if (movement.kind === 'hold') {
    assert(detail?.hold_expires_ms !== undefined, 'a hold says when it expires');
    const hold: Hold = {
      version: state.version + 1,
      amount: movement.amount,
      expiresAtMs: detail.hold_expires_ms,
      lots: negated(detail.lots ?? noLots),
    };
    assertHold(hold);
    return [...state.holds, hold];
  }
  const index = state.holds.findIndex((hold) => hold.version === detail?.hold);
  const hold = state.holds[index];
  assert(hold !== undefined, 'what is captured or released was held');
  const amount = hold.amount + movement.heldDelta;
  if (amount === 0) return state.holds.length === 1 ? noHolds : state.holds.toSpliced(index, 1);
  assert(movement.kind === 'capture', 'a release leaves nothing held');
  const left: Hold = { ...hold, amount, lots: changedLots(hold.lots, negated(detail?.captured ?? noLots)) };
  assertHold(left);
  return state.holds.with(index, left);
}

export function assertHold(hold: Hold): void {
  assert(isAmount(hold.amount) && sumOf(hold.lots) <= hold.amount, 'a hold holds what it took');
}

function reversalsAfter(state: AccountState, movement: Movement): readonly Reversal[] {
  const version = movement.detail?.reverses;
  assert(version !== undefined && version <= state.version, 'a reversal says what it reverses');
  const place = reversalPlace(state.reversals, version);
  const found = state.reversals[place];
  if (found === undefined || found[0] !== version) {
    return state.reversals.toSpliced(place, 0, [version, movement.amount]);
  }
  return state.reversals.with(place, [version, found[1] + movement.amount]);
}
