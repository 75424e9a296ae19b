/**
 * The circuit breaker before the origin, one per isolate: while the origin is away, callers are told so at once, and it
 * is not asked by everybody when it comes back (Nygard, Release It!, ch. 5).
 *
 * What counts as a failure: no connection, a broken one, no answer in time, or an answer that is a gateway's and not
 * core's (5xx that is no problem document). A problem document counts as a success, whatever its status: core is there
 * and speaks for itself, with a Retry-After of its own.
 *
 * B1  Closed: everything passes. It opens when in the current window `failuresMin` calls or more failed, and no fewer
 *     than half of all; or when `inRowMin` failed one after the other, so that many good calls just before do not hide
 *     that it died.
 * B2  Open: nothing passes, for a back-off that doubles with every failed probe, bounded, with jitter, so that isolates
 *     do not come back in step.
 * B3  Probing: one call, of whatever method (a write carries its key, and we send it once), decides. A probe whose
 *     request died says nothing: after `probeMs` the next call is a probe.
 * B4  Only what began in the present state counts in it: a straggler closes nothing and opens nothing.
 *
 * Pure but for its ports. Must not know: HTTP.
 */
export interface CircuitBounds {
  readonly windowMs: number;
  readonly failuresMin: number;
  readonly inRowMin: number;
  readonly backOffMsMin: number;
  readonly backOffMsMax: number;
  readonly probeMs: number;
}

export type CircuitState = 'closed' | 'open' | 'probing';
/** `trip`: a failure that is one too many. `retry`: the back-off is over. `lost`: nothing was heard of the probe. */
export type CircuitEvent = 'success' | 'failure' | 'trip' | 'retry' | 'lost';

export const circuitTable: Readonly<Record<CircuitState, Readonly<Record<CircuitEvent, CircuitState>>>> = {
  closed: { success: 'closed', failure: 'closed', trip: 'open', retry: 'closed', lost: 'closed' },
  open: { success: 'open', failure: 'open', trip: 'open', retry: 'probing', lost: 'open' },
  probing: { success: 'closed', failure: 'open', trip: 'open', retry: 'probing', lost: 'probing' },
};

/** One call that was let through; give it back with what became of it. */
export interface Pass {
  readonly era: number;
}

export type Admission =
  | { readonly passes: true; readonly pass: Pass }
  /** How long not to come back. */
  | { readonly passes: false; readonly waitMs: number };

export class Circuit {
  readonly #bounds: CircuitBounds;
  readonly #steadyMs: () => number;
  readonly #random: () => number;
  #state: CircuitState = 'closed';
  /** Grows with every change of state, and with every probe. */
  #era = 0;
  #windowStartedMs = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #failures = 0;
  #inRow = 0;
  #failedProbes = 0;
  /** Open: when the back-off ends. Probing: when the probe is given up. */
  #untilMs = 0;

  /** @param random 0 (included) to 1 (excluded) */
  constructor(bounds: CircuitBounds, steadyMs: () => number, random: () => number) {
    this.#bounds = bounds;
    this.#steadyMs = steadyMs;
    this.#random = random;
  }

  get state(): CircuitState {
    return this.#state;
  }

  admit(): Admission {
    if (this.#state === 'closed') return { passes: true, pass: { era: this.#era } };
    const waitMs = this.#untilMs - this.#steadyMs();
    if (waitMs > 0) return { passes: false, waitMs };
    this.#enter(circuitTable[this.#state][this.#state === 'open' ? 'retry' : 'lost']);
    return { passes: true, pass: { era: this.#era } };
  }

  settle(pass: Pass, outcome: 'success' | 'failure'): void {
    if (pass.era !== this.#era) return;
    const isTrip = this.#state === 'closed' && this.#isOneTooMany(outcome);
    const next = circuitTable[this.#state][isTrip ? 'trip' : outcome];
    if (next === this.#state) return;
    this.#failedProbes = this.#state === 'probing' && next === 'open' ? this.#failedProbes + 1 : 0;
    this.#enter(next);
  }

  /** B1. */
  #isOneTooMany(outcome: 'success' | 'failure'): boolean {
    const steadyMs = this.#steadyMs();
    if (steadyMs - this.#windowStartedMs >= this.#bounds.windowMs) {
      this.#windowStartedMs = steadyMs;
      this.#calls = 0;
      this.#failures = 0;
      this.#inRow = 0;
    }
    this.#calls++;
    this.#inRow = outcome === 'success' ? 0 : this.#inRow + 1;
    if (outcome === 'success') return false;
    this.#failures++;
    const isHalf = this.#failures >= this.#bounds.failuresMin && this.#failures * 2 >= this.#calls;
    return isHalf || this.#inRow >= this.#bounds.inRowMin;
  }

  #enter(state: CircuitState): void {
    const { backOffMsMin, backOffMsMax, probeMs } = this.#bounds;
    this.#state = state;
    this.#era++;
    this.#windowStartedMs = Number.NEGATIVE_INFINITY;
    if (state === 'probing') this.#untilMs = this.#steadyMs() + probeMs;
    if (state !== 'open') return;
    const backOffMs = Math.min(backOffMsMin * 2 ** Math.min(this.#failedProbes, 16), backOffMsMax);
    this.#untilMs = this.#steadyMs() + backOffMs * (0.5 + this.#random() / 2);
  }
}
