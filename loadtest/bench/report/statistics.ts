/** Medians and ratios of rounds. Pure. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** One value ÷ the other of the same round; as many as both have. */
export function pairRatios(over: readonly number[], under: readonly number[]): number[] {
  return over.slice(0, under.length).map((value, round) => value / (under[round] as number));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value at a share of the sorted values; 0 without any. */
export function percentile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/**
 * The worst second ÷ the mean, of whole seconds.
 *
 * @param counts answers of each second; the last one may be cut short, and does not count
 */
export function worstSecondRatio(counts: readonly number[]): number {
  const whole = counts.slice(0, -1);
  return Math.min(...whole) / mean(whole);
}
