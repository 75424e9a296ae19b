/** Changes that are decided by what was read before: whoever was overtaken between the read and the statement reads again. */
import { setTimeout as pause } from 'node:timers/promises';
import { ProblemError } from './handler.ts';

/** The longest pause, in milliseconds. */
const pauseMsMax = 4_000;

/** What a test takes the place of. */
export interface AttemptPorts {
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
  /** From 0, below 1. */
  readonly random: () => number;
}

const usual: AttemptPorts = { nowMs: () => performance.now(), pause, random: Math.random };

/**
 * The first result of up to `triesMax` attempts, one after the other. Throws `overloaded` when each was overtaken, or the next one
 * would begin too late.
 *
 * Between them it waits, at random and twice as long each time: many who change the same thing at once would otherwise go on
 * overtaking each other in step, and the last of them would have as many losses as there are others. The measure of a pause is
 * how long the attempt took, because that is how long it could be overtaken: where the database is slow, a short pause is none.
 *
 * @param deadlineMs after which none is begun, on the clock of `performance.now()`
 * @param attempt null: it was overtaken
 */
export async function attempts<Result>(
  triesMax: number,
  deadlineMs: number,
  attempt: () => Promise<Result | null>,
  ports: AttemptPorts = usual,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    const startedMs = ports.nowMs();
    const result = await attempt();
    if (result !== null) return result;
    const nowMs = ports.nowMs();
    const tookMs = Math.max(1, nowMs - startedMs);
    const pauseMs = ports.random() * Math.min(tookMs * 2 ** tries, pauseMsMax);
    if (tries >= triesMax || nowMs + pauseMs >= deadlineMs) throw new ProblemError('overloaded');
    await ports.pause(pauseMs);
  }
}
