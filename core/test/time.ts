/** For tests on the real clock: what they must not run into. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

const DAY_MS = 86_400_000;
/** Longer than most tests take that compare with the day that it is, on a busy machine. */
const TEST_MS = 30_000;

/** Such a test must not run over the end of its day (UTC): waits for the next one, {@link TEST_MS} at most. For `beforeEach`. */
export function wellWithinDay(): Promise<void> {
  return withinDay(TEST_MS);
}

/** As {@link wellWithinDay}, before what takes as long as this at most, in milliseconds. */
export async function withinDay(durationMs: number): Promise<void> {
  const leftMs = DAY_MS - (Date.now() % DAY_MS);
  if (leftMs < durationMs) await pause(leftMs + 100);
}

/** Ids and moments of one millisecond have no order: what is made from here on comes after all that there is. */
export async function anotherMillisecond(): Promise<void> {
  const ms = Date.now();
  do await pause(1);
  while (Date.now() === ms);
}

const LIFE_MS_MIN = 5_000;
const LIFE_MS_MAX = 80_000;
/** Whatever {@link inTime} has made has ended by itself before so many milliseconds are over. */
export const ENDED_WITHIN_MS = LIFE_MS_MAX + 20_000;

/**
 * For what has to be seen before it ends by itself: where the machine stalled for so long, again with twice the time.
 * @param see makes what lives so long, and looks at it
 */
export async function inTime<Result>(see: (lifeMs: number) => Promise<Result>): Promise<Result> {
  for (let lifeMs = LIFE_MS_MIN; lifeMs <= LIFE_MS_MAX; lifeMs *= 2) {
    const startedMs = Date.now();
    const isOver = () => Date.now() - startedMs >= lifeMs;
    try {
      const result = await see(lifeMs);
      if (!isOver()) return result;
    } catch (error) {
      if (!isOver()) throw error;
    }
  }
  return assert.fail(`the machine stalls for more than ${LIFE_MS_MAX} ms`);
}
