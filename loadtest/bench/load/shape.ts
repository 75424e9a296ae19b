/** What the requests of a round are, beside whose wallets: which of them repeat an earlier one, how many rows each makes. Pure. */

export type Shape =
  | { readonly type: 'single' }
  /** Every `every`-th request repeats one of `lag` requests ago, about: same wallet, key and body. */
  | { readonly type: 'replays'; readonly every: number; readonly lag: number }
  /** So many lines in each request. */
  | { readonly type: 'bulk'; readonly lines: number };

export const single: Shape = { type: 'single' };

/** A fifth of the requests; what they repeat is longer ago than anything that is still under way. */
export const replays: Shape = { type: 'replays', every: 5, lag: 5_000 };

/** What a generator counts as one is so many earns. */
export function earnsPerRequest(shape: Shape): number {
  return shape.type === 'bulk' ? shape.lines : 1;
}

/** Which request number `n` (from 0) is: itself, or the earlier one that it repeats. */
export function originalOf(shape: Shape, n: number): number {
  if (shape.type !== 'replays' || n % shape.every !== shape.every - 1) return n;
  // A whole number of turns and one back, so that what is repeated is no repetition.
  const lag = Math.ceil(shape.lag / shape.every) * shape.every + 1;
  return n < lag ? n : n - lag;
}

/** Rows that the first `requests` requests make. */
export function rowsOf(shape: Shape, requests: number): number {
  if (shape.type !== 'replays') return requests * earnsPerRequest(shape);
  let rows = 0;
  for (let n = 0; n < requests; n++) if (originalOf(shape, n) === n) rows++;
  return rows;
}
