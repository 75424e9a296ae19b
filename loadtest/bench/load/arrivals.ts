/** When the requests of an open loop arrive: independently of each other (a Poisson process), repeatable by its seed. Pure. */

/** Moments in milliseconds from the start, increasing, below `seconds`. */
export function arrivals(ratePerSecond: number, seconds: number, seed: number): Float64Array {
  const random = randomFrom(seed);
  const moments: number[] = [];
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) / ratePerSecond) * 1_000;
    if (atMs >= seconds * 1_000) return Float64Array.from(moments);
    moments.push(atMs);
  }
}

/** mulberry32: 0 ≤ value < 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
