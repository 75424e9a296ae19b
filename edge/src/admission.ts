/**
 * Step ①e: who calls, and may one more request of theirs pass? Every request that has a route is counted once.
 *
 * - A caller with a key that the isolate knows is counted on the key's plan; everybody else on the client's address.
 * - A key not known yet is looked up. Whoever starts the look-up takes a token of its address, and gets it back unless
 *   core refuses the key; whoever finds it under way joins it for free. So made-up keys use up the address that sends
 *   them (429 comes before 401), and a real key costs its address nothing.
 * - A key that core refuses leaves its request counted on the address, joined or not.
 *
 * RFC 6585 §4 (429); draft-ietf-httpapi-ratelimit-headers.
 */
import { limits, type Route } from '@local-plus/contracts';
import { keyDigest, lookUpKey } from './api-key.ts';
import { addressKey } from './client-address.ts';
import { withDeadline } from './deadline.ts';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import { refuseForOrigin } from './forward.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { rateLimitHeaders, retryAfter, type Take } from './limiting/limiter.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

export class Admission {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #keys = new KeyCache();

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
  }

  /** Fills `grant` and `counted`. Refuses with `rate_limited`, `overloaded` or, when core cannot be asked, `unavailable`. */
  admit(route: Pick<Route, 'scope'>): Step {
    return async (exchange) => {
      const digest = await keyDigest(exchange.request.headers.get('authorization'));
      if (digest === null) return this.#countAddress(exchange);
      const nowMs = this.#ports.nowMs();
      const known = this.#keys.known(digest, nowMs);
      if (known === 'refused') return this.#countAddress(exchange);
      if (known !== null) {
        if (!known.isFresh) this.#refresh(exchange, digest, nowMs);
        exchange.grant = known.grant;
        return this.#countPlan(exchange);
      }
      return this.#lookUp(exchange, digest, route.scope === null);
    };
  }

  async #lookUp(exchange: Exchange, digest: string, isPublic: boolean): Promise<Answer | undefined> {
    const joined = this.#keys.inFlight(digest, this.#ports.nowMs());
    let verdict = joined === null ? null : await landed(joined);
    // Another address ran out of tokens, not this one: ask on this one's account.
    const isAnothers = verdict?.kind === 'limited' && verdict.addressKey !== addressKey(exchange.clientIp);
    if (verdict === null || isAnothers) {
      const started = this.#keys.start(digest, this.#ports.nowMs(), () => this.#lookUpCounted(exchange, digest));
      if (started === null) return refuse(exchange, 'overloaded', { headers: { 'retry-after': '1' } });
      exchange.info.waitUntil(started);
      verdict = await landed(started);
    }
    switch (verdict.kind) {
      case 'granted':
        exchange.grant = verdict.grant;
        return this.#countPlan(exchange);
      case 'refused':
        return exchange.counted === null ? this.#countAddress(exchange) : undefined;
      case 'limited':
        return this.#judge(exchange, 'address', limits.ipRequestsPerMinute, verdict.take);
      case 'away':
        // What is public needs no key: it is not withheld because one could not be checked.
        return isPublic ? this.#countAddress(exchange) : refuseForOrigin(exchange, 'unavailable');
    }
  }

  /** A look-up on the account of the caller's address. */
  async #lookUpCounted(exchange: Exchange, digest: string): Promise<Verdict> {
    const key = addressKey(exchange.clientIp);
    const take = await this.#ports.addresses.take(key, limits.ipRequestsPerMinute, this.#ports.nowMs());
    if (!take.allowed) return { kind: 'limited', addressKey: key, take };
    const verdict = await lookUpKey(this.#origin, this.#ports.report, exchange, digest);
    if (verdict.kind === 'refused') exchange.counted = { policy: 'address', limit: limits.ipRequestsPerMinute, take };
    else exchange.info.waitUntil(Promise.resolve(this.#ports.addresses.giveBack(key, take)));
    return verdict;
  }

  #refresh(exchange: Exchange, digest: string, nowMs: number): void {
    if (this.#keys.inFlight(digest, nowMs) !== null) return;
    const started = this.#keys.start(digest, nowMs, () =>
      lookUpKey(this.#origin, this.#ports.report, exchange, digest),
    );
    if (started !== null) exchange.info.waitUntil(started);
  }

  async #countAddress(exchange: Exchange): Promise<Answer | undefined> {
    const limit = limits.ipRequestsPerMinute;
    const take = await this.#ports.addresses.take(addressKey(exchange.clientIp), limit, this.#ports.nowMs());
    return this.#judge(exchange, 'address', limit, take);
  }

  async #countPlan(exchange: Exchange): Promise<Answer | undefined> {
    const { grant } = exchange;
    if (grant === null) throw new Error('only a known key has a plan');
    const limit = grant.requests_per_minute;
    const take = await this.#ports.plans.take(grant.api_key_id, limit, this.#ports.nowMs());
    return this.#judge(exchange, 'key', limit, take);
  }

  #judge(exchange: Exchange, policy: 'address' | 'key', limit: number, take: Take): Answer | undefined {
    exchange.counted = { policy, limit, take };
    return take.allowed
      ? undefined
      : refuse(exchange, 'rate_limited', {
          headers: { 'retry-after': retryAfter(take), ...rateLimitHeaders(exchange.counted) },
        });
  }
}

/** A verdict, or `away` when the request that was to bring it has died on the way (K2). */
function landed(verdict: Promise<Verdict>): Promise<Verdict> {
  return withDeadline(flightMs, verdict, () => ({ kind: 'away' }));
}
