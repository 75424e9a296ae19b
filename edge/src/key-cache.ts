/**
 * What the isolate knows of API keys, by the SHA-256 of the key: grants, refusals, and look-ups on their way.
 *
 * K1  A grant is used at most `keyServedMs` after core was asked; from `keyFreshMs` on a look-up runs behind. So a
 *     revoked key that is in use is refused within about `keyFreshMs`, an idle one within `keyServedMs`.
 * K2  At most one look-up per key is in flight. One that never ends (its request's context died) is given up after
 *     `flightMs`, and the next caller starts anew.
 * K3  Everything is bounded, and refusals have a cache of their own: made-up keys push out no real one.
 *
 * Must not know: HTTP, and where verdicts come from.
 */
import type { merchants } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import type { Take } from './limiting/limiter.ts';
import { edgeLimits } from './limits.ts';

export type Verdict =
  | { readonly kind: 'granted'; readonly grant: merchants.KeyGrant }
  | { readonly kind: 'refused' }
  /** Core could not be asked. */
  | { readonly kind: 'away' }
  /** Core was not asked: whoever started the look-up had no token of its address left. */
  | { readonly kind: 'limited'; readonly addressKey: string; readonly take: Take };

export type Known = { readonly grant: merchants.KeyGrant; readonly isFresh: boolean } | 'refused' | null;

interface Flight {
  readonly startedAtMs: number;
  readonly verdict: Promise<Verdict>;
}

/** The longest a look-up takes: an address token first, then the origin. */
export const flightMs = edgeLimits.counterBudgetMs + edgeLimits.lookUpBudgetMs;

export class KeyCache {
  readonly #granted = new LRUCache<string, { grant: merchants.KeyGrant; sinceMs: number }>({ max: edgeLimits.keysMax });
  readonly #refused = new LRUCache<string, { sinceMs: number }>({ max: edgeLimits.keysRefusedMax });
  readonly #flights = new Map<string, Flight>();

  /** What may be used without asking. */
  known(digest: string, nowMs: number): Known {
    const granted = this.#granted.get(digest);
    if (granted && nowMs - granted.sinceMs < edgeLimits.keyServedMs) {
      return { grant: granted.grant, isFresh: nowMs - granted.sinceMs < edgeLimits.keyFreshMs };
    }
    const refused = this.#refused.get(digest);
    return refused && nowMs - refused.sinceMs < edgeLimits.keyRefusedMs ? 'refused' : null;
  }

  /** The look-up of this key that is under way. */
  inFlight(digest: string, nowMs: number): Promise<Verdict> | null {
    const flight = this.#flights.get(digest);
    if (!flight) return null;
    if (nowMs - flight.startedAtMs < flightMs) return flight.verdict;
    this.#flights.delete(digest);
    return null;
  }

  /** Starts a look-up and keeps what it finds. Null: too many are under way. */
  start(digest: string, nowMs: number, lookUp: () => Promise<Verdict>): Promise<Verdict> | null {
    if (this.#flights.size >= edgeLimits.lookUpsMax) this.#dropLost(nowMs);
    if (this.#flights.size >= edgeLimits.lookUpsMax) return null;
    const verdict = this.#land(digest, nowMs, lookUp);
    this.#flights.set(digest, { startedAtMs: nowMs, verdict });
    return verdict;
  }

  /** Ages count from before core was asked, so that K1 holds however slow the answer was. */
  async #land(digest: string, sinceMs: number, lookUp: () => Promise<Verdict>): Promise<Verdict> {
    try {
      const verdict = await lookUp();
      if (verdict.kind === 'granted') {
        this.#granted.set(digest, { grant: verdict.grant, sinceMs });
        this.#refused.delete(digest);
      } else if (verdict.kind === 'refused') {
        this.#refused.set(digest, { sinceMs });
        this.#granted.delete(digest);
      }
      return verdict;
    } finally {
      if (this.#flights.get(digest)?.startedAtMs === sinceMs) this.#flights.delete(digest);
    }
  }

  #dropLost(nowMs: number): void {
    for (const [digest, flight] of this.#flights) {
      if (nowMs - flight.startedAtMs >= flightMs) this.#flights.delete(digest);
    }
  }
}
