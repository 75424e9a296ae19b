/**
 * Points that expire: when, and in which order they are spent. A list of lots is sorted by day, a day stands in it once,
 * and its amounts are positive; only a list of *changes* has negative ones. Pure arithmetic; knows no account.
 */
import { assert } from './invariant.ts';
import type { Day, ExpiryRule, Lot } from './model.ts';

const dayMs = 86_400_000;

/** Shared by all accounts that have none. */
export const noLots: readonly Lot[] = [];

/** A lot can be spent until its day is over (UTC), and is due from then on. */
export function lotDueAtMs(day: Day): number {
  return (day + 1) * dayMs;
}

/** The last day on which points earned at `atMs` can be spent. A month that has no such date ends with its last one. */
export function expiryDay(rule: ExpiryRule, atMs: number): Day {
  const at = new Date(rule.period === 'days' ? atMs + rule.count * dayMs : atMs);
  const year = at.getUTCFullYear();
  const month = at.getUTCMonth() + (rule.period === 'months' ? rule.count : 0);
  // Day 0 of a month is the last one of the month before; months past December run on into the next years.
  const lastDate = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const date = rule.endOfMonth ? lastDate : Math.min(at.getUTCDate(), lastDate);
  return Date.UTC(year, month, date) / dayMs;
}

export function sumOf(lots: readonly Lot[]): number {
  let sum = 0;
  for (const lot of lots) sum += lot[1];
  return sum;
}

/** The lots whose day is over at `atMs`. */
export function dueLots(lots: readonly Lot[], atMs: number): readonly Lot[] {
  const count = dueCount(lots, atMs);
  return count === 0 ? noLots : lots.slice(0, count);
}

/** The lots that can still be spent at `atMs`. */
export function liveLots(lots: readonly Lot[], atMs: number): readonly Lot[] {
  const count = dueCount(lots, atMs);
  return count === 0 ? lots : lots.slice(count);
}

function dueCount(lots: readonly Lot[], atMs: number): number {
  let count = 0;
  for (const lot of lots) {
    if (lotDueAtMs(lot[0]) > atMs) break;
    count++;
  }
  return count;
}

/** The points from place `from` up to, not including, place `to`, counted in the order in which they expire. */
export function between(lots: readonly Lot[], from: number, to: number): readonly Lot[] {
  const part: Lot[] = [];
  let start = 0;
  for (const [day, amount] of lots) {
    if (start >= to) break;
    const points = Math.min(start + amount, to) - Math.max(start, from);
    if (points > 0) part.push([day, points]);
    start += amount;
  }
  return part.length === 0 ? noLots : part;
}

/** The first-expiring `amount` points; all of them when there are fewer. */
export function firstOf(lots: readonly Lot[], amount: number): readonly Lot[] {
  return lots.length === 0 ? noLots : between(lots, 0, amount);
}

/**
 * The first-expiring `amount` points, but those of `day` before all others.
 * @param day null: no day comes first
 */
export function firstOfDay(lots: readonly Lot[], amount: number, day: Day | null): readonly Lot[] {
  const preferred = firstOf(
    lots.filter((lot) => lot[0] === day),
    amount,
  );
  // Another day's points are asked for only when that day has given all it had.
  const others = firstOf(
    lots.filter((lot) => lot[0] !== day),
    amount - sumOf(preferred),
  );
  return changedLots(preferred, others);
}

export function negated(lots: readonly Lot[]): readonly Lot[] {
  return lots.length === 0 ? noLots : lots.map(([day, amount]): Lot => [day, -amount]);
}

/** The lots after changes, which are sorted by day too. */
export function changedLots(lots: readonly Lot[], changes: readonly Lot[]): readonly Lot[] {
  if (changes.length === 0) return lots;
  const after: Lot[] = [];
  let index = 0;
  let dayBefore = Number.NEGATIVE_INFINITY;
  for (const [day, change] of changes) {
    assert(day > dayBefore, 'changes of lots are sorted by day');
    dayBefore = day;
    let lot = lots[index];
    for (; lot !== undefined && lot[0] < day; lot = lots[++index]) after.push(lot);
    const there = lot !== undefined && lot[0] === day ? lot[1] : 0;
    if (there > 0) index++;
    assert(there + change >= 0, 'no lot gives more than it has');
    if (there + change > 0) after.push([day, there + change]);
  }
  for (let lot = lots[index]; lot !== undefined; lot = lots[++index]) after.push(lot);
  return after.length === 0 ? noLots : after;
}

/** Asserts the shape of a list that came from elsewhere. */
export function assertLots(lots: readonly Lot[]): void {
  let dayBefore = -1;
  for (const [day, amount] of lots) {
    assert(Number.isSafeInteger(day) && day > dayBefore, 'lots are sorted by day');
    assert(Number.isSafeInteger(amount) && amount > 0, 'a lot has points');
    dayBefore = day;
  }
}
