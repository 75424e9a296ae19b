/**
 * Tiers in the plainest words: every row is looked at, every day one by one, nothing is remembered. To be compared with; shares
 * nothing with the module but the shape of tiers.
 */
import type { tiers as wire } from '@local-plus/contracts';

/** An earn, or (less than 0) what was taken back of what was earned at that moment. */
export interface NaiveRow {
  readonly points: number;
  readonly earnedAtMs: number;
}

export interface NaiveTiers {
  readonly window: { readonly period: 'days' | 'months'; readonly count: number };
  readonly graceDays: number;
  readonly tiers: readonly wire.Tier[];
}

const date = (day: number) => new Date(day * 86_400_000);

/** Points of `earned` count on `day`. */
function counts({ period, count }: NaiveTiers['window'], earned: number, day: number): boolean {
  if (day < earned) return false;
  if (period === 'days') return day - earned < count;
  const from = date(earned);
  const lastOfMonth = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + count + 1, 0)).getUTCDate();
  const end = Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + count, Math.min(from.getUTCDate(), lastOfMonth));
  return date(day).getTime() < end;
}

export function naivePoints(rows: readonly NaiveRow[], { window }: NaiveTiers, day: number): number {
  let sum = 0;
  for (const { points, earnedAtMs } of rows) {
    if (counts(window, Math.floor(earnedAtMs / 86_400_000), day)) sum += points;
  }
  return sum;
}

/** The id of the tier on a day, by all rows. */
export function naiveTier(rows: readonly NaiveRow[], scheme: NaiveTiers, day: number): string | null {
  let best = -1;
  for (let back = 0; back <= scheme.graceDays; back++) {
    const points = naivePoints(rows, scheme, day - back);
    for (const [place, tier] of scheme.tiers.entries()) if (points >= tier.points) best = Math.max(best, place);
  }
  return scheme.tiers[best]?.id ?? null;
}
