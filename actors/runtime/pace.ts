/**
 * How long one stage of the runtime (the commits, the look-ups) takes for a statement lately, and from that how long it
 * will take for what waits there. Told the times; knows no clock.
 *
 * The time between two replies is taken while the stage is busy, whatever the statements held: few commands take a short
 * one, many a long one, and what was measured under a load is used under that load. A burst is therefore believed to pass
 * quickly until the first full statement says otherwise, and that one says so while it is still in the air.
 */

/** The weight of the newest time: a load that changes is followed within a few statements. */
const NEWEST = 0.25;

export class Pace {
  #meanMs = 0;
  #isMeasured = false;
  #lastReplyMs = Number.NEGATIVE_INFINITY;

  /** A statement sent at `sentMs` was answered now. One that was sent behind another began when that was answered. */
  took(sentMs: number, nowMs: number): void {
    const ms = nowMs - Math.max(sentMs, this.#lastReplyMs);
    this.#lastReplyMs = nowMs;
    this.#meanMs = this.#isMeasured ? this.#meanMs + (ms - this.#meanMs) * NEWEST : ms;
    this.#isMeasured = true;
  }

  /** What a statement will take, in milliseconds: no less than the oldest one in the air (null: there is none) has. */
  statementMs(oldestSentMs: number | null, nowMs: number): number {
    if (oldestSentMs === null) return this.#meanMs;
    return Math.max(this.#meanMs, nowMs - Math.max(oldestSentMs, this.#lastReplyMs));
  }
}

/** A stage as it stands: what it is busy with, and how much it takes at a time. */
export interface Stage {
  readonly pace: Pace;
  /** Statements in the air. */
  readonly flightCount: number;
  /** When the oldest of them was sent; null: none is in the air. */
  readonly oldestSentMs: number | null;
  /** How much fits into one statement now. */
  readonly perStatement: number;
}

/** How long until what comes behind `ahead` others is sent, in milliseconds: Little's law, by whole statements. */
export function waitMs(stage: Stage, ahead: number, nowMs: number): number {
  return (stage.flightCount + ahead / stage.perStatement) * stage.pace.statementMs(stage.oldestSentMs, nowMs);
}
