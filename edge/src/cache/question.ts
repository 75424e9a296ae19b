/**
 * One question at a time: something outside is asked for the good of many requests, by one of them.
 *
 * Q1  One question is under way at a time; who comes meanwhile is shown that one.
 * Q2  One that never ends (its request's context died) is given up after `givenUpMs`; the next caller asks anew.
 * Q3  For one reason a question begins at most every so often. Reasons do not hold each other up.
 * Q4  Who waits looks whether it is over, and shares no promise with who asks (cache/flights.ts, F1).
 *
 * Must not know: what is asked. The asker's work keeps what it found, and never rejects.
 */
import type { RequestInfo } from '../ports.ts';
import { untilOver } from './flights.ts';

export interface Underway {
  readonly startedAtMs: number;
  readonly isOver: boolean;
}

export interface QuestionBounds {
  readonly steadyMs: () => number;
  readonly givenUpMs: number;
}

export class Question<Reason extends string = string> {
  readonly #bounds: QuestionBounds;
  readonly #askedAtMs = new Map<Reason, number>();
  #underway: Underway | null = null;

  constructor(bounds: QuestionBounds) {
    this.#bounds = bounds;
  }

  /** The question under way, or a new one; null when one was asked for this reason within `everyMs`. */
  ask(
    reason: Reason,
    everyMs: number,
    waitUntil: RequestInfo['waitUntil'],
    work: (startedAtMs: number) => Promise<void>,
  ): Underway | null {
    const steadyMs = this.#bounds.steadyMs();
    if (this.#underway !== null && isWithin(this.#bounds.givenUpMs, this.#underway.startedAtMs, steadyMs)) {
      return this.#underway;
    }
    if (isWithin(everyMs, this.#askedAtMs.get(reason) ?? Number.NEGATIVE_INFINITY, steadyMs)) return null;
    this.#askedAtMs.set(reason, steadyMs);
    const underway = { startedAtMs: steadyMs, isOver: false };
    this.#underway = underway;
    const asking = work(steadyMs).finally(() => {
      underway.isOver = true;
      if (this.#underway === underway) this.#underway = null;
    });
    waitUntil(asking);
    return underway;
  }

  /** Waits until it is over, for `budgetMs` at most; not at all for null. */
  async answered(underway: Underway | null, budgetMs: number): Promise<void> {
    if (underway !== null) await untilOver(underway, budgetMs);
  }
}

/** Not after a clock went back, which on Workers this one may: nobody would ask until it has come that far again. */
function isWithin(boundMs: number, sinceMs: number, steadyMs: number): boolean {
  return steadyMs >= sinceMs && steadyMs - sinceMs < boundMs;
}
