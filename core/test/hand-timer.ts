/** Timers for tests that move time by hand: what is due runs when the test says so. */
import type { Timer } from '@local-plus/actors';

interface Waiting {
  readonly atMs: number;
  readonly run: () => void;
}

export class HandTimer implements Timer {
  readonly #nowMs: () => number;
  readonly soon: (run: () => void) => void;
  readonly #waiting = new Set<Waiting>();

  /** @param nowMs the test's clock, monotonic */
  constructor(nowMs: () => number, soon: (run: () => void) => void = setImmediate) {
    this.#nowMs = nowMs;
    this.soon = soon;
  }

  after(delayMs: number, run: () => void): () => void {
    const waiting = { atMs: this.#nowMs() + delayMs, run };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  /** Runs what is due, in the order in which it was asked for; says whether anything was. */
  runDue(): boolean {
    const due = [...this.#waiting].filter(({ atMs }) => atMs <= this.#nowMs());
    for (const waiting of due) {
      // Not what one of those before it has called off.
      if (this.#waiting.delete(waiting)) waiting.run();
    }
    return due.length > 0;
  }
}
