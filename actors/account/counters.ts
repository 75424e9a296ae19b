/**
 * What purchases have earned so far, counted against the caps of earn rules: what a purchase still gets, and the counters
 * after it.
 *
 * - C1 no counter ever passes the max of a cap that it is asked by: a grant gets what is left of the tightest one.
 * - C2 a counter belongs to a window, known by its end. Windows are chosen when a request is received and may be over when it
 *   is decided, so a counter is kept {@link accountLimits.counterKeptMs} longer; a window that is over for longer gives nothing.
 * - C3 what is reversed later is still counted: a cap cannot be opened again by giving points back.
 */
import { limits } from '@local-plus/contracts';
import { assert } from './invariant.ts';
import { accountLimits } from './limits.ts';
import type { AccountState, Cap, CommandOf, Counter, Grant } from './model.ts';

export const noCounters: readonly Counter[] = [];

/** The end of a window that has none. */
export const foreverMs: number = Number.MAX_SAFE_INTEGER;

/** How many purchases have earned something; the only counter that counts no points. Rules' counters have a `/`. */
export const purchasesCounter = 'purchases';

export interface Allotment {
  /** Per grant, in their order. */
  readonly amounts: readonly number[];
  /** 0 … limits.amountMax */
  readonly total: number;
  /** By how much the counters grow; empty where nothing is earned. */
  readonly changes: readonly Counter[];
}

/** What the rules give, by whether the wallet has earned for a purchase before. */
export function grantsOf(
  { counters }: Pick<AccountState, 'counters'>,
  command: CommandOf<'purchase'>,
): readonly Grant[] {
  return counters.some(([key]) => key === purchasesCounter) ? command.later : command.first;
}

/** Gives each grant, in order, what the caps and the bound of one transaction leave of it. */
export function allot(counters: readonly Counter[], grants: readonly Grant[], atMs: number): Allotment {
  const counted = new Map(counters.map(([key, untilMs, count]) => [idOf(key, untilMs), count]));
  const grown = new Map<string, Counter>();
  let total = 0;
  const amounts = grants.map(({ points, caps }) => {
    let amount = Math.min(points, limits.amountMax - total);
    for (const cap of caps) amount = Math.min(amount, leftOf(cap, counted, atMs));
    total += amount;
    if (amount > 0) for (const cap of caps) grow(cap, amount, counted, grown);
    return amount;
  });
  if (total === 0) return { amounts, total, changes: noCounters };
  return { amounts, total, changes: [...grown.values(), [purchasesCounter, foreverMs, 1]] };
}

function leftOf({ counter, untilMs, max }: Cap, counted: ReadonlyMap<string, number>, atMs: number): number {
  if (isOver(untilMs, atMs)) return 0;
  return Math.max(max - (counted.get(idOf(counter, untilMs)) ?? 0), 0);
}

function grow({ counter, untilMs }: Cap, by: number, counted: Map<string, number>, grown: Map<string, Counter>): void {
  const id = idOf(counter, untilMs);
  counted.set(id, (counted.get(id) ?? 0) + by);
  grown.set(id, [counter, untilMs, (grown.get(id)?.[2] ?? 0) + by]);
}

/** The counters after a purchase: grown, and without those of windows that are over. */
export function changedCounters(
  counters: readonly Counter[],
  changes: readonly Counter[],
  atMs: number,
): readonly Counter[] {
  const after = new Map(counters.map((counter) => [idOf(counter[0], counter[1]), counter]));
  for (const [key, untilMs, by] of changes) {
    assert(Number.isSafeInteger(by) && by > 0, 'a counter only grows');
    const count = (after.get(idOf(key, untilMs))?.[2] ?? 0) + by;
    assert(Number.isSafeInteger(count), 'a counter is an integer');
    after.set(idOf(key, untilMs), [key, untilMs, count]);
  }
  const kept = [...after.values()].filter(([, untilMs]) => !isOver(untilMs, atMs));
  return kept.length === 0 ? noCounters : kept;
}

/** What holds of every list of counters, wherever it came from. */
export function assertCounters(counters: readonly Counter[]): void {
  assert(counters.length <= accountLimits.countersMax, 'counters are bounded');
  const ids = new Set<string>();
  for (const [key, untilMs, count] of counters) {
    assert(typeof key === 'string' && key !== '', 'a counter has a name');
    assert(Number.isSafeInteger(untilMs) && Number.isSafeInteger(count) && count > 0, 'a counter counts in integers');
    ids.add(idOf(key, untilMs));
  }
  assert(ids.size === counters.length, 'a counter stands once');
}

/** What a command may bring: bounded, so that deciding it is. */
export function assertGrants(grants: readonly Grant[]): void {
  assert(grants.length <= accountLimits.grantsMax, 'the grants of a purchase are bounded');
  for (const { points, caps } of grants) {
    assert(Number.isSafeInteger(points) && points > 0 && points <= limits.amountMax, 'a grant is within its bounds');
    assert(caps.length <= accountLimits.grantCapsMax, 'the caps of a grant are bounded');
    for (const { untilMs, max } of caps) {
      assert(Number.isSafeInteger(untilMs) && Number.isSafeInteger(max) && max > 0, 'a cap is within its bounds');
    }
  }
}

function isOver(untilMs: number, atMs: number): boolean {
  return untilMs + accountLimits.counterKeptMs <= atMs;
}

function idOf(key: string, untilMs: number): string {
  return `${key} ${untilMs}`;
}
