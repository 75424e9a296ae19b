/** Changes that are decided by what was read before: whoever was overtaken between the read and the statement reads again. */
import { setTimeout as pause } from 'node:timers/promises';
import { ProblemError } from './handler.ts';

/** The longest pause, reached after seven lost attempts, in milliseconds. */
const pauseMsMax = 128;

/**
 * The first result of up to `triesMax` attempts, one after the other. Throws `overloaded` when each was overtaken.
 *
 * Between them it waits, at random and twice as long each time: many who change the same thing at once would otherwise go on
 * overtaking each other in step, and the last of them would have as many losses as there are others.
 *
 * @param attempt null: it was overtaken
 */
export async function attempts<Result>(triesMax: number, attempt: () => Promise<Result | null>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    const result = await attempt();
    if (result !== null) return result;
    if (tries >= triesMax) throw new ProblemError('overloaded');
    await pause(Math.random() * Math.min(2 ** tries, pauseMsMax));
  }
}
