/**
 * A whole state as JSON text, and back. What is read was written by us; a text of any other shape is a broken invariant,
 * never a guess.
 */
import { assertCovered, assertHold } from './apply.ts';
import { assertCounters, noCounters } from './counters.ts';
import { assert, InvariantViolation } from './invariant.ts';
import { assertLots, noLots } from './lots.ts';
import type { AccountState, Counter, Hold, Lot, Reversal } from './model.ts';
import { earliestDueMs, noHolds, noReversals } from './state.ts';

/** Counters stand only where there are any: checkpoints are older than they are. */
const members = 'version,balance,held,last_at_ms,frozen,owed,lots,holds,reversals';
const membersWithCounters = `${members},counters`;

/** Canonical: equal states are equal texts. A hold is `[version, amount, expires at ms, lots]`. */
export function checkpointOf(state: AccountState): string {
  const { version, balance, held, lastAtMs, frozen, owed, lots, reversals } = state;
  const counters = state.counters.length === 0 ? {} : { counters: state.counters };
  const holds = state.holds.map((hold) => [hold.version, hold.amount, hold.expiresAtMs, hold.lots]);
  return JSON.stringify({
    version,
    balance,
    held,
    last_at_ms: lastAtMs,
    frozen,
    owed,
    lots,
    holds,
    reversals,
    ...counters,
  });
}

/** The inverse of {@link checkpointOf}. */
export function readCheckpoint(text: string): AccountState {
  const read = parsed(text);
  assert(typeof read === 'object' && read !== null && !Array.isArray(read), 'a checkpoint is an object');
  const found = Object.keys(read).join();
  assert(found === members || found === membersWithCounters, 'a checkpoint has its members');
  const from = read as Readonly<Record<string, unknown>>;
  const version = integer(from['version']);
  const lots = lotsFrom(from['lots']);
  const holds = list(from['holds']).map(holdFrom);
  const reversals = list(from['reversals']).map(reversalFrom);
  const counters = found === members ? noCounters : list(from['counters']).map(counterFrom);
  assertCounters(counters);
  assertAscending(
    holds.map((hold) => hold.version),
    version,
  );
  assertAscending(
    reversals.map((reversal) => reversal[0]),
    version,
  );
  assert(typeof from['frozen'] === 'boolean', 'a checkpoint says whether it is frozen');
  const state: AccountState = {
    version,
    balance: integer(from['balance']),
    held: integer(from['held']),
    lastAtMs: integer(from['last_at_ms']),
    frozen: from['frozen'],
    owed: integer(from['owed']),
    lots,
    holds: holds.length === 0 ? noHolds : holds,
    reversals: reversals.length === 0 ? noReversals : reversals,
    counters,
    baseVersion: version,
    dueAtMs: earliestDueMs(lots, holds),
  };
  assert(holds.reduce((sum, hold) => sum + hold.amount, 0) === state.held, 'held is the sum of the holds');
  assertCovered(state);
  return state;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvariantViolation('a checkpoint is JSON', { cause });
  }
}

function integer(value: unknown): number {
  assert(Number.isSafeInteger(value), 'a checkpoint counts in integers');
  return value as number;
}

function list(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), 'a checkpoint has its lists');
  return value;
}

function lotsFrom(value: unknown): readonly Lot[] {
  const lots = list(value).map((item): Lot => {
    const [day, amount, ...more] = list(item);
    assert(more.length === 0, 'a lot is a day and an amount');
    return [integer(day), integer(amount)];
  });
  assertLots(lots);
  return lots.length === 0 ? noLots : lots;
}

function holdFrom(value: unknown): Hold {
  const [version, amount, expiresAtMs, lots, ...more] = list(value);
  assert(more.length === 0, 'a hold has four members');
  const hold = {
    version: integer(version),
    amount: integer(amount),
    expiresAtMs: integer(expiresAtMs),
    lots: lotsFrom(lots),
  };
  assertHold(hold);
  return hold;
}

function reversalFrom(value: unknown): Reversal {
  const [version, amount, ...more] = list(value);
  assert(more.length === 0 && integer(amount) > 0, 'a reversal is a version and an amount');
  return [integer(version), integer(amount)];
}

function counterFrom(value: unknown): Counter {
  const [key, untilMs, count, ...more] = list(value);
  assert(more.length === 0 && typeof key === 'string', 'a counter is a name, an end and a count');
  return [key, integer(untilMs), integer(count)];
}

function assertAscending(versions: readonly number[], max: number): void {
  let before = 0;
  for (const version of versions) {
    assert(version > before && version <= max, 'holds and reversals are in the order of versions');
    before = version;
  }
}
