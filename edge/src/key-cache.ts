/**
 * What the isolate knows by asking core: of API keys by their SHA-256, of merchants by their id, of members, of browsers'
 * origins. Grants, refusals, and look-ups on their way; "key" is what it is known by.
 *
 * K1  A grant is used at most `keyServedMs` after core was asked; from `keyFreshMs` on a look-up runs behind. So a
 *     revoked key that is in use is refused within about `keyFreshMs`, an idle one within `keyServedMs`.
 * K2  At most one look-up per key is in flight. One that never ends (its request's context died) is given up after
 *     `flightMs`, and the next caller starts anew. Verdicts cross between requests, promises do not (cache/flights.ts).
 * K3  Everything is bounded, and refusals have a cache of their own: made-up keys push out no real one.
 *
 * Must not know: HTTP, and where verdicts come from.
 */
import { LRUCache } from 'lru-cache';
import { Flights } from './cache/flights.ts';
import type { Take } from './limiting/limiter.ts';
import { edgeLimits } from './limits.ts';

export type Verdict<Granted> =
  | { readonly kind: 'granted'; readonly grant: Granted }
  | { readonly kind: 'refused' }
  /** Core could not be asked. */
  | { readonly kind: 'away' }
  /** Core was not asked: whoever started the look-up had no token of its address left. */
  | { readonly kind: 'limited'; readonly addressKey: string; readonly take: Take };

export type Known<Granted> = { readonly grant: Granted; readonly isFresh: boolean } | 'refused' | null;

/** The longest that a look-up takes that is on an address: its token, the origin, and the charge for what is refused. */
export const flightMs = 2 * edgeLimits.counterBudgetMs + edgeLimits.lookUpBudgetMs;

export class KeyCache<Granted extends object> {
  readonly #granted = new LRUCache<string, { grant: Granted; sinceMs: number }>({ max: edgeLimits.keysMax });
  readonly #refused = new LRUCache<string, { sinceMs: number }>({ max: edgeLimits.keysRefusedMax });
  readonly #flightMs: number;
  readonly #flights: Flights<Verdict<Granted>>;

  /** @param longestMs the longest that a look-up takes */
  constructor(longestMs: number = flightMs) {
    this.#flightMs = longestMs;
    this.#flights = new Flights({
      flightMs: longestMs,
      flightsMax: edgeLimits.lookUpsMax,
      followersMax: edgeLimits.lookUpFollowersMax,
    });
  }

  /** What may be used without asking. */
  known(digest: string, steadyMs: number): Known<Granted> {
    const granted = this.#granted.get(digest);
    if (granted && steadyMs - granted.sinceMs < edgeLimits.keyServedMs) {
      return { grant: granted.grant, isFresh: steadyMs - granted.sinceMs < edgeLimits.keyFreshMs };
    }
    const refused = this.#refused.get(digest);
    return refused && steadyMs - refused.sinceMs < edgeLimits.keyRefusedMs ? 'refused' : null;
  }

  isUnderWay(digest: string, steadyMs: number): boolean {
    return this.#flights.isUnderWay(digest, steadyMs);
  }

  /** Waits for the look-up of this key that is under way; `away` when it is lost, or too many wait. Null: there is none. */
  join(digest: string, steadyMs: number): Promise<Verdict<Granted>> | null {
    if (!this.isUnderWay(digest, steadyMs)) return null;
    const boarding = this.#flights.board(digest, steadyMs);
    return boarding.role === 'follower' ? landed(boarding.wait(this.#flightMs)) : Promise.resolve({ kind: 'away' });
  }

  /** Starts a look-up and keeps what it finds. Null: too many are under way. */
  start(digest: string, steadyMs: number, lookUp: () => Promise<Verdict<Granted>>): Promise<Verdict<Granted>> | null {
    const boarding = this.#flights.lead(digest, steadyMs);
    return boarding.role === 'leader' ? this.#look(digest, steadyMs, lookUp, boarding.land) : null;
  }

  /** Ages count from before core was asked, so that K1 holds however slow the answer was. */
  async #look(
    digest: string,
    sinceMs: number,
    lookUp: () => Promise<Verdict<Granted>>,
    land: (verdict: Verdict<Granted> | null) => void,
  ): Promise<Verdict<Granted>> {
    let verdict: Verdict<Granted> | null = null;
    try {
      verdict = await lookUp();
      if (verdict.kind === 'granted') {
        this.#granted.set(digest, { grant: verdict.grant, sinceMs });
        this.#refused.delete(digest);
      } else if (verdict.kind === 'refused') {
        this.#refused.set(digest, { sinceMs });
        this.#granted.delete(digest);
      }
      return verdict;
    } finally {
      land(verdict);
    }
  }
}

async function landed<Granted>(verdict: Promise<Verdict<Granted> | null>): Promise<Verdict<Granted>> {
  return (await verdict) ?? { kind: 'away' };
}
