/**
 * How quick the machine itself is at the moment: a shared one slows down and speeds up by a third, and everything on it with it.
 */

/** Larger than a processor's own caches, so that what others do to the shared ones is seen. */
const BYTES = 4_194_304;
const LINE_BYTES = 64;
const TRIES = 3;

const field = new Uint32Array(BYTES / Uint32Array.BYTES_PER_ELEMENT);

/** Milliseconds for always the same work; the quickest of a few tries, which no other thread has interrupted. */
export function yardstickMs(): number {
  let quickestMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES; tries++) {
    const startedMs = performance.now();
    for (let at = 0; at < field.length; at += LINE_BYTES / Uint32Array.BYTES_PER_ELEMENT) {
      field[at] = (field[at] as number) + 1;
    }
    quickestMs = Math.min(quickestMs, performance.now() - startedMs);
  }
  return quickestMs;
}
