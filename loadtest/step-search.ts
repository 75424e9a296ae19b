/** The search for the highest rate that holds: grow until one breaks, then halve the distance. */
import { limits } from './limits.ts';

/**
 * The rate to try next, or null when `held` is near enough to `broke`.
 *
 * @param held the highest rate that held; 0 while none did
 * @param broke the lowest that did not; Infinity while none broke
 */
export function nextRate(tried: number, held: number, broke: number): number | null {
  if (broke === Number.POSITIVE_INFINITY) return Math.round(tried * limits.stressGrowth);
  return broke - held <= broke * limits.stressPrecision ? null : Math.round((held + broke) / 2);
}
