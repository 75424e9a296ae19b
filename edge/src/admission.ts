/**
 * Step ①e: who calls, and may one more request of theirs pass? Every request that has a route is counted once.
 *
 * - A caller with a key or a token that the isolate knows is counted on its plan, and on its merchant's, where that has
 *   one: on both or on none; everybody else on the client's address.
 * - A key not known yet is looked up. Whoever starts the look-up takes a token of its address, and gets it back unless
 *   core refuses the key; whoever finds it under way joins it for free. So made-up keys use up the address that sends
 *   them (429 comes before 401), and a real key costs its address nothing.
 * - A token not known yet is verified on the same terms.
 * - A key that core refuses leaves its request counted on the address, joined or not.
 * - What looks like guessing counts more (limiting/weights.ts).
 * - Whoever calls for a merchant that is not active is refused once it is counted: a key by core's word, a token here; but
 *   for members, whose scopes core has cut down to what is left.
 *
 * RFC 6585 §4 (429); draft-ietf-httpapi-ratelimit-headers.
 */
import { limits, type Route } from '@local-plus/contracts';
import { type KnownKey, lookUpKey, presentedKey } from './api-key.ts';
import { type Presented, presentedToken, Tokens, type TokenVerdict } from './auth/tokens.ts';
import { addressKey } from './client-address.ts';
import { withDeadline } from './deadline.ts';
import { type Answer, type Exchange, type Grant, refuse, type Step } from './exchange.ts';
import { refuseForOrigin } from './forward.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { KeyDigests } from './key-digests.ts';
import {
  type Counted,
  type CountedPlan,
  countedOnAddress,
  countedOnPlans,
  rateLimitHeaders,
  retryAfter,
} from './limiting/headers.ts';
import type { Take } from './limiting/limiter.ts';
import type { Plan, PlanTake } from './limiting/plan.ts';
import { surcharge } from './limiting/weights.ts';
import { edgeLimits } from './limits.ts';
import { Members } from './members.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';
import { createTenants, type Tenants } from './tenants.ts';

const addressLimit = limits.ipRequestsPerMinute;
const misses: ReadonlySet<number> = new Set([404]);
/** The PIN is wrong; nobody has the code. */
const codeFailures: ReadonlySet<number> = new Set([403, 404]);

export class Admission {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #digests = new KeyDigests();
  readonly #keys = new KeyCache<KnownKey>();
  /** null: there is no issuer whose tokens count. */
  readonly #tokens: Tokens | null;
  readonly #tenants: Tenants;
  readonly #members: Members;

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
    const { tokens } = ports.config;
    this.#tokens = tokens === null ? null : new Tokens(ports, origin, tokens);
    this.#tenants = createTenants(ports, origin);
    this.#members = new Members(ports, origin);
  }

  /** Fills `grant` and `counted`. Refuses with `rate_limited`, `overloaded` or, when core cannot be asked, `unavailable`. */
  admit(route: Pick<Route, 'scope'>): Step {
    const isPublic = route.scope === null;
    const tokens = this.#tokens;
    return tokens === null
      ? (exchange) => this.#admitKey(exchange, isPublic)
      : async (exchange) => {
          const token = await presentedToken(exchange.headers.get('authorization'));
          return token === null
            ? this.#admitKey(exchange, isPublic)
            : this.#admitToken(tokens, exchange, token, isPublic);
        };
  }

  /**
   * Counts what the request costs beyond the one that it was admitted as, once its body is known; a refusal leaves that
   * one counted. What no plan could ever hold at once is too large, and not for later.
   */
  countRest(): Step {
    return async (exchange) => {
      const { grant, tenant, costsRequests } = exchange;
      if (grant === null) throw new Error('only a known key has a plan');
      if (costsRequests === 1) return undefined;
      const atOnceMax = Math.min(atOnce(grant.plan), tenant?.plan ? atOnce(tenant.plan) : Number.POSITIVE_INFINITY);
      if (costsRequests > atOnceMax) {
        const linesMax = atOnceMax * limits.bulkLinesPerRequest;
        return refuse(exchange, 'payload_too_large', { detail: `The caller's plan allows ${linesMax} lines at once.` });
      }
      return this.#countPlans(exchange, grant, costsRequests - 1);
    };
  }

  /** The step of a route that looks something up: whoever asks for what is not there is charged for guessing. */
  chargeMisses({ guesses }: Pick<Route, 'guesses'>, step: Step): Step {
    const [failures, guess] =
      guesses === 'code' ? ([codeFailures, 'wrongCode'] as const) : ([misses, 'notFound'] as const);
    return async (exchange) => {
      const answer = await step(exchange);
      if (answer !== undefined && failures.has(answer.status)) this.#charge(exchange, surcharge(guess));
      return answer;
    };
  }

  /** Nothing is awaited for a key that is in use. */
  #admitKey(exchange: Exchange, isPublic: boolean): ReturnType<Step> {
    const key = presentedKey(exchange.headers.get('authorization'));
    if (key === null) return this.#countAddress(exchange);
    const digest = this.#digests.of(key, this.#ports.steadyMs());
    return typeof digest === 'string'
      ? this.#admitDigest(exchange, digest, isPublic)
      : digest.then((computed) => this.#admitDigest(exchange, computed, isPublic));
  }

  #admitDigest(exchange: Exchange, digest: string, isPublic: boolean): ReturnType<Step> {
    const steadyMs = this.#ports.steadyMs();
    const known = this.#keys.known(digest, steadyMs);
    if (known === null) return this.#lookUp(exchange, digest, isPublic);
    if (known === 'refused' || isOver(known.grant, this.#ports.nowMs())) return this.#countAddress(exchange);
    if (!known.isFresh) this.#refresh(exchange, digest, steadyMs);
    return this.#countKey(exchange, known.grant);
  }

  async #lookUp(exchange: Exchange, digest: string, isPublic: boolean): Promise<Answer | undefined> {
    // Nothing is awaited between finding none under way and starting one.
    const joined = this.#keys.join(digest, this.#ports.steadyMs());
    let verdict = joined === null ? null : await joined;
    // Another address ran out of tokens, not this one: ask on this one's account.
    const isAnothers = verdict?.kind === 'limited' && verdict.addressKey !== addressKey(exchange.clientIp);
    if (verdict === null || isAnothers) {
      const started = this.#keys.start(digest, this.#ports.steadyMs(), () => this.#lookUpCounted(exchange, digest));
      if (started === null) return refuse(exchange, 'overloaded', { headers: { 'retry-after': '1' } });
      exchange.info.waitUntil(started);
      verdict = await landed(started);
    }
    switch (verdict.kind) {
      case 'granted':
        return this.#countKey(exchange, verdict.grant);
      case 'refused':
        return exchange.counted === null ? this.#countAddress(exchange) : undefined;
      case 'limited':
        return this.#judge(exchange, countedOnAddress(addressLimit, verdict.take));
      case 'away':
        // What is public needs no key: it is not withheld because one could not be checked.
        return isPublic ? this.#countAddress(exchange) : refuseForOrigin(exchange, 'unavailable');
    }
  }

  /** A look-up on the account of the caller's address. */
  async #lookUpCounted(exchange: Exchange, digest: string): Promise<Verdict<KnownKey>> {
    const key = addressKey(exchange.clientIp);
    const take = await this.#takeOfAddress(exchange);
    if (!take.allowed) return { kind: 'limited', addressKey: key, take };
    const verdict = await lookUpKey(this.#origin, this.#ports.report, exchange, digest);
    if (verdict.kind === 'refused') await this.#keepOnAddress(exchange, take, surcharge('unknownKey'));
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
    const leading = tokens.lead(token, () => this.#verifyCounted(tokens, exchange, token));
    exchange.info.waitUntil(leading);
    const led = await leading;
    return led.kind === 'limited'
      ? this.#judge(exchange, countedOnAddress(addressLimit, led.take))
      : this.#settleToken(exchange, led, isPublic);
  }

  /** Verifies a token on the account of the caller's address, unless that has none left. */
  async #verifyCounted(
    tokens: Tokens,
    exchange: Exchange,
    token: Presented,
  ): Promise<TokenVerdict | { readonly kind: 'limited'; readonly take: Take }> {
    const take = await this.#takeOfAddress(exchange);
    if (!take.allowed) return { kind: 'limited', take };
    const verdict = await tokens.verify(exchange, token);
    if (verdict.kind === 'refused') await this.#keepOnAddress(exchange, take, surcharge('badToken'));
    else exchange.info.waitUntil(Promise.resolve(this.#ports.addresses.giveBack(addressKey(exchange.clientIp), take)));
    return verdict;
  }

  async #settleToken(exchange: Exchange, verdict: TokenVerdict, isPublic: boolean): Promise<Answer | undefined> {
    switch (verdict.kind) {
      case 'granted': {
        const { asMember } = verdict;
        const grant = asMember === null ? verdict.grant : await this.#asMember(exchange, verdict.grant, asMember);
        if (grant === 'away') return this.#answerUnchecked(exchange, isPublic);
        const tenant = grant.merchantId === null ? null : await this.#tenants.find(exchange, grant.merchantId);
        if (tenant === 'away') return this.#answerUnchecked(exchange, isPublic);
        exchange.grant = grant;
        exchange.tenant = tenant;
        const refusal = await this.#countPlans(exchange, grant, 1);
        if (refusal !== undefined || isPublic || asMember !== null || tenant === null || tenant.isActive)
          return refusal;
        return refuse(exchange, 'merchant_inactive');
      }
      case 'refused':
        exchange.hasBadToken = true;
        return exchange.counted === null ? this.#countAddress(exchange) : undefined;
      case 'away':
        return this.#answerUnchecked(exchange, isPublic);
    }
  }

  /** @param named the scopes that the token names; none: all that the role has */
  async #asMember(exchange: Exchange, grant: Grant, named: Grant['scopes']): Promise<Grant | 'away'> {
    const allowed = await this.#members.scopes(exchange, grant.merchantId ?? '', grant.subject);
    if (allowed === 'away') return 'away';
    return { ...grant, scopes: named.length === 0 ? allowed : allowed.filter((one) => named.includes(one)) };
  }

  async #answerUnchecked(exchange: Exchange, isPublic: boolean): Promise<Answer | undefined> {
    if (isPublic) return this.#countAddress(exchange);
    return refuse(exchange, 'unavailable', {
      detail: 'The token cannot be checked right now.',
      headers: { 'retry-after': String(edgeLimits.awayRetryAfterS) },
    });
  }

  #refresh(exchange: Exchange, digest: string, steadyMs: number): void {
    if (this.#keys.isUnderWay(digest, steadyMs)) return;
    const started = this.#keys.start(digest, steadyMs, () =>
      lookUpKey(this.#origin, this.#ports.report, exchange, digest),
    );
    if (started !== null) exchange.info.waitUntil(started);
  }

  #takeOfAddress(exchange: Exchange, count = 1): Take | Promise<Take> {
    return this.#ports.addresses.take(addressKey(exchange.clientIp), addressLimit, this.#ports.steadyMs(), count);
  }

  /** The request stays counted on the address, and what it is charged comes on top, where as much is left. */
  async #keepOnAddress(exchange: Exchange, take: Take, charge: number): Promise<void> {
    const charged = await this.#takeOfAddress(exchange, charge);
    exchange.counted = countedOnAddress(addressLimit, charged.allowed ? charged : take);
  }

  async #countAddress(exchange: Exchange): Promise<Answer | undefined> {
    return this.#judge(exchange, countedOnAddress(addressLimit, await this.#takeOfAddress(exchange)));
  }

  #countKey(exchange: Exchange, { grant, tenant }: KnownKey): ReturnType<Step> {
    exchange.grant = grant;
    exchange.tenant = tenant;
    return this.#countPlans(exchange, grant, 1);
  }

  /** On the caller's plan and its merchant's, or on neither. */
  #countPlans(exchange: Exchange, grant: Grant, count: number): ReturnType<Step> {
    const taken = this.#ports.plans.take(grant.planKey, grant.plan, count, exchange.info.waitUntil);
    return taken instanceof Promise
      ? taken.then((take) => this.#countTenant(exchange, grant, count, take))
      : this.#countTenant(exchange, grant, count, taken);
  }

  #countTenant(exchange: Exchange, grant: Grant, count: number, take: PlanTake): ReturnType<Step> {
    const { tenant, info } = exchange;
    const own: CountedPlan = { policy: grant.policy, plan: grant.plan, take };
    if (tenant === null || tenant.plan === null || !take.allowed) return this.#judgePlans(exchange, own, null);
    const { plan, planKey } = tenant;
    const judge = (takeOfTenant: PlanTake): Answer | undefined => {
      const ofTenant: CountedPlan = { policy: 'tenant', plan, take: takeOfTenant };
      if (takeOfTenant.allowed) return this.#judgePlans(exchange, own, ofTenant);
      this.#ports.plans.giveBack(grant.planKey, take, count);
      return this.#judgePlans(exchange, { ...own, take: { ...take, leased: take.leased + count } }, ofTenant);
    };
    const taken = this.#ports.plans.take(planKey, plan, count, info.waitUntil);
    return taken instanceof Promise ? taken.then(judge) : judge(taken);
  }

  /** Behind the answer where the counter has to be asked. What is not left is not charged. */
  #charge(exchange: Exchange, count: number): void {
    const { grant, info } = exchange;
    const charging: PlanTake | Take | Promise<PlanTake | Take> =
      grant === null
        ? this.#takeOfAddress(exchange, count)
        : this.#ports.plans.take(grant.planKey, grant.plan, count, info.waitUntil);
    if (charging instanceof Promise) info.waitUntil(charging);
  }

  #judgePlans(exchange: Exchange, own: CountedPlan, tenant: CountedPlan | null): Answer | undefined {
    return this.#judge(exchange, countedOnPlans(own, tenant, this.#ports.nowMs()));
  }

  #judge(exchange: Exchange, counted: Counted): Answer | undefined {
    exchange.counted = counted;
    if (counted.allowed) return undefined;
    const headers = { 'retry-after': retryAfter(counted), ...rateLimitHeaders(counted) };
    return refuse(exchange, 'rate_limited', { headers });
  }
}

/** The most that a plan could ever allow at one time. */
function atOnce({ burst, minute, month }: Plan): number {
  return Math.min(
    burst ?? Number.POSITIVE_INFINITY,
    minute ?? Number.POSITIVE_INFINITY,
    month ?? Number.POSITIVE_INFINITY,
  );
}

/** A key that has expired since core was asked. */
function isOver({ expiresAtMs }: KnownKey, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** A verdict, or `away` when the request that was to bring it has died on the way (K2). */
function landed(verdict: Promise<Verdict<KnownKey>>): Promise<Verdict<KnownKey>> {
  return withDeadline(flightMs, verdict, () => ({ kind: 'away' }));
}
