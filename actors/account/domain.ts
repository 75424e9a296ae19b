/**
 * The account machine: pure. `decide` says what a command does to a state; `apply` is the state after a posting.
 *
 * Knows no clock, no store, no wire. A refusal is a value; a broken invariant is an assertion.
 * I1: a posting names one delta and its contra account, so its two legs sum to zero.
 * I2: see `apply.ts`. What refuses stands in `guards.ts`, what moves in `movements.ts`.
 */
import { limits, programAccount } from '@local-plus/contracts';
import { stateAfter } from './apply.ts';
import { checkpointOf } from './checkpoint.ts';
import { assertGrants } from './counters.ts';
import { refusalOf } from './guards.ts';
import { assert } from './invariant.ts';
import { accountLimits } from './limits.ts';
import { assertLots, sumOf } from './lots.ts';
import type { AccountState, Command, CommandOf, Decision, ExpiryRule, Posting } from './model.ts';
import { plan } from './movements.ts';

export { apply } from './apply.ts';
export { InvariantViolation } from './invariant.ts';
export type * from './model.ts';
export { openedAccount } from './state.ts';

/**
 * @param state the account before
 * @param command already of the documented shape
 * @param nowMs Unix milliseconds; a clock that went back is held at the account's last time
 */
export function decide(state: AccountState, command: Command, nowMs: number): Decision {
  assertShape(state, command);
  const atMs = Math.max(nowMs, state.lastAtMs);
  const code = refusalOf(state, command, atMs);
  if (code !== null) return { type: 'refuse', code };
  const planned = plan(state, command, atMs);
  const next = stateAfter(state, planned, atMs, undefined);
  const posting: Posting = {
    kind: planned.kind,
    amount: planned.amount,
    balanceDelta: planned.balanceDelta,
    contraAccountId: programAccount(command.programId, planned.contra),
    version: next.version,
    balanceAfter: next.balance,
    heldAfter: next.held,
    occurredAtMs: atMs,
    baseVersion: next.baseVersion,
    detail: planned.detail,
    reversalOf: planned.reversalOf,
    due: next.dueAtMs === state.dueAtMs ? null : { atMs: next.dueAtMs },
    checkpoint: next.baseVersion === next.version ? checkpointOf(next) : null,
  };
  return { type: 'post', posting, state: next };
}

/** What the boundary has to have refused. */
function assertShape(state: AccountState, command: Command): void {
  switch (command.kind) {
    case 'earn':
      assertAmount(command.amount);
      assertExpiry(command.expiry);
      break;
    case 'purchase':
      assertGrants(command.first);
      assertGrants(command.later);
      assertExpiry(command.expiry);
      break;
    case 'adjust':
      assertAmount(command.amount);
      assertExpiry(command.expiry);
      break;
    case 'hold':
      assertAmount(command.amount);
      assertWithin(command.expiresInS, accountLimits.holdSecondsMax, 'a hold lasts as long as it may');
      break;
    case 'capture':
      if (command.amount !== null) assertAmount(command.amount);
      break;
    case 'reverse':
      assertReversal(state, command);
      break;
    case 'transfer_in':
      assertAmount(command.amount);
      if (command.lots !== undefined) {
        assertLots(command.lots);
        assert(sumOf(command.lots) <= command.amount, 'the lots of a transfer are part of it');
      }
      break;
    case 'return':
      assertReturn(state, command);
      break;
    case 'burn':
    case 'load':
    case 'redeem':
    case 'transfer_out':
      assertAmount(command.amount);
      break;
    case 'clear':
    case 'decline':
    case 'release':
    case 'freeze':
    case 'unfreeze':
    case 'due':
      break;
  }
}

function assertReversal(state: AccountState, { original, amount, policy }: CommandOf<'reverse'>): void {
  if (amount !== null) assertAmount(amount);
  assertWithin(original.version, state.version, 'what is reversed has happened');
  if (policy.type === 'negative') assertAmount(policy.limit);
}

function assertReturn(state: AccountState, { original }: CommandOf<'return'>): void {
  assertWithin(original.version, state.version, 'what comes back had left');
  const isAcross = original.kind === 'transfer_out' && original.detail?.across === true;
  assert(isAcross, 'only a transfer across lanes comes back');
}

function assertExpiry(rule: ExpiryRule | null): void {
  if (rule === null) return;
  const max = rule.period === 'months' ? accountLimits.expiryMonthsMax : accountLimits.expiryDaysMax;
  assertWithin(rule.count, max, 'an expiry is within its bounds');
}

function assertAmount(amount: number): void {
  assert(Number.isSafeInteger(amount), 'an amount is an integer');
  assert(amount >= limits.amountMin && amount <= limits.amountMax, 'an amount is within its bounds');
}

function assertWithin(count: number, max: number, invariant: string): void {
  assert(Number.isSafeInteger(count) && count >= 1 && count <= max, invariant);
}
