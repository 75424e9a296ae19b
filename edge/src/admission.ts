/**
 * Step ①e: who calls, and may one more request of theirs pass? Every request that has a route is counted once.
 *
 * - A caller with a key or a token that the isolate knows is counted on its plan; everybody else on the client's address.
 * - A key not known yet is looked up. Whoever starts the look-up takes a token of its address, and gets it back unless
 *   core refuses the key; whoever finds it under way joins it for free. So made-up keys use up the address that sends
 *   them (429 comes before 401), and a real key costs its address nothing.
 * - A token not known yet is verified on the same terms.
 * - A key that core refuses leaves its request counted on the address, joined or not.
 *
 * RFC 6585 §4 (429); draft-ietf-httpapi-ratelimit-headers.
 */
import { limits, type merchants, type Route } from '@local-plus/contracts';
import { keyDigest, lookUpKey } from './api-key.ts';
import { type Presented, presentedToken, Tokens, type TokenVerdict } from './auth/tokens.ts';
import { addressKey } from './client-address.ts';
import { withDeadline } from './deadline.ts';
import { type Answer, type Exchange, type Grant, refuse, type Step } from './exchange.ts';
import { refuseForOrigin } from './forward.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { rateLimitHeaders, retryAfter, type Take } from './limiting/limiter.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

export class Admission {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #keys = new KeyCache();
  /** null: there is no issuer whose tokens count. */
  readonly #tokens: Tokens | null;

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
    const { tokens } = ports.config;
    this.#tokens = tokens === null ? null : new Tokens(ports, origin, tokens);
  }

  /** Fills `grant` and `counted`. Refuses with `rate_limited`, `overloaded` or, when core cannot be asked, `unavailable`. */
  admit(route: Pick<Route, 'scope'>): Step {
    return async (exchange) => {
      const authorization = exchange.request.headers.get('authorization');
      const tokens = this.#tokens;
      const token = tokens === null ? null : await presentedToken(authorization);
      if (tokens !== null && token !== null) return this.#admitToken(tokens, exchange, token, route.scope === null);
      const digest = await keyDigest(authorization);
      if (digest === null) return this.#countAddress(exchange);
      const nowMs = this.#ports.nowMs();
      const known = this.#keys.known(digest, nowMs);
      if (known === 'refused') return this.#countAddress(exchange);
      if (known !== null) {
        if (!known.isFresh) this.#refresh(exchange, digest, nowMs);
        exchange.grant = grantOf(known.grant);
        return this.#countPlan(exchange);
      }
      return this.#lookUp(exchange, digest, route.scope === null);
    };
  }

  /**
   * Counts what the request costs beyond the one that it was admitted as, once its body is known; a refusal leaves that
   * one counted. What no minute of the plan could hold is too large, and not for later.
   */
  countRest(): Step {
    return async (exchange) => {
      const { grant, costsRequests } = exchange;
      if (grant === null) throw new Error('only a known key has a plan');
      if (costsRequests === 1) return undefined;
      const { planKey, policy, requestsPerMinute: limit } = grant;
      if (costsRequests > limit) {
        const linesMax = limit * limits.bulkLinesPerRequest;
        return refuse(exchange, 'payload_too_large', {
          detail: `The caller's plan allows ${linesMax} lines a minute.`,
        });
      }
      const take = await this.#ports.plans.take(planKey, limit, this.#ports.nowMs(), costsRequests - 1);
      return this.#judge(exchange, policy, limit, take);
    };
  }

  async #lookUp(exchange: Exchange, digest: string, isPublic: boolean): Promise<Answer | undefined> {
    // Nothing is awaited between finding none under way and starting one.
    const joined = this.#keys.join(digest, this.#ports.nowMs());
    let verdict = joined === null ? null : await joined;
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
        exchange.grant = grantOf(verdict.grant);
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

  async #admitToken(
    tokens: Tokens,
    exchange: Exchange,
    token: Presented,
    isPublic: boolean,
  ): Promise<Answer | undefined> {
    let verdict = await tokens.known(exchange, token);
    const underWay = verdict === null ? tokens.underWay(token) : null;
    if (underWay !== null) {
      await underWay;
      verdict = await tokens.known(exchange, token);
    }
    if (verdict !== null) return this.#settleToken(exchange, verdict, isPublic);
    const leading = tokens.lead(token, () => this.#verifyCounted(tokens, exchange, token, isPublic));
    exchange.info.waitUntil(leading);
    return leading;
  }

  /** Verifies a token on the account of the caller's address. */
  async #verifyCounted(
    tokens: Tokens,
    exchange: Exchange,
    token: Presented,
    isPublic: boolean,
  ): Promise<Answer | undefined> {
    const key = addressKey(exchange.clientIp);
    const limit = limits.ipRequestsPerMinute;
    const take = await this.#ports.addresses.take(key, limit, this.#ports.nowMs());
    if (!take.allowed) return this.#judge(exchange, 'address', limit, take);
    const verdict = await tokens.verify(exchange, token);
    if (verdict.kind === 'refused') exchange.counted = { policy: 'address', limit, take };
    else exchange.info.waitUntil(Promise.resolve(this.#ports.addresses.giveBack(key, take)));
    return this.#settleToken(exchange, verdict, isPublic);
  }

  async #settleToken(exchange: Exchange, verdict: TokenVerdict, isPublic: boolean): Promise<Answer | undefined> {
    switch (verdict.kind) {
      case 'granted':
        exchange.grant = verdict.grant;
        return this.#countPlan(exchange);
      case 'refused':
        exchange.hasBadToken = true;
        return exchange.counted === null ? this.#countAddress(exchange) : undefined;
      case 'away':
        return isPublic
          ? this.#countAddress(exchange)
          : refuse(exchange, 'unavailable', {
              detail: 'The token cannot be checked right now.',
              headers: { 'retry-after': String(edgeLimits.awayRetryAfterS) },
            });
    }
  }

  #refresh(exchange: Exchange, digest: string, nowMs: number): void {
    if (this.#keys.isUnderWay(digest, nowMs)) return;
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
    const { planKey, policy, requestsPerMinute: limit } = grant;
    const take = await this.#ports.plans.take(planKey, limit, this.#ports.nowMs());
    return this.#judge(exchange, policy, limit, take);
  }

  #judge(exchange: Exchange, policy: 'address' | Grant['policy'], limit: number, take: Take): Answer | undefined {
    exchange.counted = { policy, limit, take };
    return take.allowed
      ? undefined
      : refuse(exchange, 'rate_limited', {
          headers: { 'retry-after': retryAfter(take), ...rateLimitHeaders(exchange.counted) },
        });
  }
}

function grantOf(key: merchants.KeyGrant): Grant {
  const { api_key_id, merchant_id, scopes, requests_per_minute } = key;
  return {
    policy: 'key',
    subject: api_key_id,
    merchantId: merchant_id,
    scopes,
    requestsPerMinute: requests_per_minute,
    planKey: api_key_id,
  };
}

/** A verdict, or `away` when the request that was to bring it has died on the way (K2). */
function landed(verdict: Promise<Verdict>): Promise<Verdict> {
  return withDeadline(flightMs, verdict, () => ({ kind: 'away' }));
}
