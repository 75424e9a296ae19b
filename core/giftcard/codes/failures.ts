/**
 * Look-ups that failed, counted per caller and per merchant: the second line of defence against guessing, behind the edge's.
 *
 * A look-up takes a place before anything is done for it, and gives it back unless it fails; so look-ups at the same time
 * cannot fail more often than one after the other. Places come back evenly, all of them within a minute.
 */
import { LRUCache } from 'lru-cache';
import { codeLimits } from './limits.ts';

const MINUTE_MS = 60_000;

/** As it was at `atMs` of the monotonic clock. */
interface Count {
  places: number;
  atMs: number;
}

export interface FailureLimits {
  readonly failuresOfCallerMax: number;
  readonly failuresOfMerchantMax: number;
  readonly countedMax: number;
}

export class Failures {
  readonly #limits: FailureLimits;
  readonly #monotonicMs: () => number;
  readonly #counts: LRUCache<string, Count>;

  constructor(monotonicMs: () => number, limits: FailureLimits = codeLimits) {
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
    this.#counts = new LRUCache({ max: limits.countedMax });
  }

  /** 0: a place is taken, on both counts; else on neither, and for so many milliseconds there is none. */
  take(merchantId: string, caller: string): number {
    const { failuresOfCallerMax, failuresOfMerchantMax } = this.#limits;
    const ofCaller = this.#count(callerKey(merchantId, caller), failuresOfCallerMax);
    const ofMerchant = this.#count(merchantId, failuresOfMerchantMax);
    const waitMs = Math.max(waitOf(ofCaller, failuresOfCallerMax), waitOf(ofMerchant, failuresOfMerchantMax));
    if (waitMs > 0) return waitMs;
    ofCaller.places--;
    ofMerchant.places--;
    return 0;
  }

  /** It did not fail. */
  giveBack(merchantId: string, caller: string): void {
    for (const key of [callerKey(merchantId, caller), merchantId]) {
      const count = this.#counts.get(key);
      if (count !== undefined) count.places++;
    }
  }

  /** As of now. Whoever is not known has all places. */
  #count(key: string, max: number): Count {
    const nowMs = this.#monotonicMs();
    const count = this.#counts.get(key) ?? { places: max, atMs: nowMs };
    count.places = Math.min(max, count.places + ((nowMs - count.atMs) * max) / MINUTE_MS);
    count.atMs = nowMs;
    this.#counts.set(key, count);
    return count;
  }
}

function callerKey(merchantId: string, caller: string): string {
  return `${merchantId} ${caller}`;
}

/** Until there is a whole place. */
function waitOf({ places }: Count, max: number): number {
  return places >= 1 ? 0 : Math.ceil(((1 - places) * MINUTE_MS) / max);
}
