/**
 * Remembers which signed requests were seen, for as long as their signatures hold.
 *
 * - N1 a nonce is admitted once: it is forgotten only when its signing time has left the window.
 * - N2 a signing time of a group that was forgotten is never admitted again, whatever the wall clock does: a step
 *   backwards refuses old signatures instead of believing them, and fresh ones pass at once.
 * - N3 the number of nonces is bounded; past it nothing is admitted.
 *
 * Nonces are kept in groups by signing time, so that forgetting is the removal of a small set and no set grows large
 * enough to stall the process when it is rehashed.
 */
import { NonceSet } from './nonce-set.ts';

export interface ReplayBounds {
  readonly windowMs: number;
  readonly groupMs: number;
  readonly noncesMax: number;
}

export type Admission = 'fresh' | 'replayed' | 'full';

export class ReplayGuard {
  readonly #bounds: ReplayBounds;
  readonly #groups = new Map<number, NonceSet>();
  #count = 0;
  #forgottenGroup = -1;
  #sweptGroup = -1;

  constructor(bounds: ReplayBounds) {
    this.#bounds = bounds;
  }

  /** How many nonces are remembered. */
  get size(): number {
    return this.#count;
  }

  /** The caller has checked the signature, and that `timeMs` is within the window around `nowMs`. */
  admit(nonce: string, timeMs: number, nowMs: number): Admission {
    this.#sweep(nowMs);
    const index = Math.floor(timeMs / this.#bounds.groupMs);
    if (index <= this.#forgottenGroup) return 'replayed';
    const group = this.#groups.get(index) ?? this.#begin(index);
    if (this.#count >= this.#bounds.noncesMax) return group.has(nonce) ? 'replayed' : 'full';
    if (!group.add(nonce)) return 'replayed';
    this.#count++;
    return 'fresh';
  }

  #begin(index: number): NonceSet {
    const group = new NonceSet(this.#groups.get(index - 1)?.size);
    this.#groups.set(index, group);
    return group;
  }

  #sweep(nowMs: number): void {
    const expired = Math.floor((nowMs - this.#bounds.windowMs) / this.#bounds.groupMs) - 1;
    if (expired === this.#sweptGroup) return;
    this.#sweptGroup = expired;
    for (const [index, group] of this.#groups) {
      if (index > expired) continue;
      this.#groups.delete(index);
      this.#count -= group.size;
      if (index > this.#forgottenGroup) this.#forgottenGroup = index;
    }
  }
}
