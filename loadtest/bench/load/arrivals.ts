/** When the requests of an open loop arrive: independently of each other (a Poisson process), repeatable by its seed. Pure. */
import { seededRandom } from '../../../core/test/random.ts';

/** Moments in milliseconds from the start, increasing, below `seconds`. */
export function arrivals(ratePerSecond: number, seconds: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const moments: number[] = [];
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) / ratePerSecond) * 1_000;
    if (atMs >= seconds * 1_000) return Float64Array.from(moments);
    moments.push(atMs);
  }
}
