/**
 * The port of the limiter: at most `limit` takes of one key in any sixty seconds, whoever counts. The memory of an
 * isolate (memory-limiter.ts) and a Durable Object (durable-limiter.ts) pass one suite, limiter-suite.ts.
 */
export interface Take {
  readonly allowed: boolean;
  /** Takes that are left now. */
  readonly remaining: number;
  /** Until a token comes back; for a refused take: until the next may be allowed. */
  readonly resetMs: number;
  /** By the counter's clock; what a give-back undoes. */
  readonly atMs: number;
  /** The isolate's own counter stood in for the shared one. */
  readonly standIn?: boolean;
}

export interface RateLimiter {
  /**
   * Takes `count` tokens of `key` (one by default), all or none; never more than `limit` are asked for. `steadyMs` is
   * the caller's clock (ports.ts); a counter with a clock of its own uses that.
   */
  take(key: string, limit: number, steadyMs: number, count?: number): Take | Promise<Take>;
  /** Undoes a take of one that was allowed. */
  giveBack(key: string, take: Take): void | Promise<void>;
}
