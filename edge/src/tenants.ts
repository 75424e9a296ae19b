/**
 * What the isolate knows of merchants for whom customers call: with a key it comes with the key's grant, with a token it
 * is asked of core, and known as keys are (key-cache.ts).
 *
 * N1  A merchant that core does not know of has no plan and no origins: whose customers an issuer lets call is its word.
 * N2  While core cannot be asked, what was known is used for `keyServedMs`, then nobody's token passes.
 */
import { internalPaths, merchants } from '@local-plus/contracts';
import { askCore } from './core-questions.ts';
import { withDeadline } from './deadline.ts';
import type { Exchange, Tenant } from './exchange.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

export class Tenants {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #known = new KeyCache<Tenant>();

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
  }

  /** null: nothing is known of it (N1). `away`: nobody can tell. */
  async find(exchange: Exchange, merchantId: string): Promise<Tenant | null | 'away'> {
    const nowMs = this.#ports.nowMs();
    const known = this.#known.known(merchantId, nowMs);
    if (known === 'refused') return null;
    if (known !== null) {
      if (!known.isFresh && !this.#known.isUnderWay(merchantId, nowMs)) {
        const started = this.#start(exchange, merchantId, nowMs);
        if (started !== null) exchange.info.waitUntil(started);
      }
      return known.grant;
    }
    const verdict = await this.#lookUp(exchange, merchantId, nowMs);
    if (verdict.kind === 'granted') return verdict.grant;
    return verdict.kind === 'refused' ? null : 'away';
  }

  async #lookUp(exchange: Exchange, merchantId: string, nowMs: number): Promise<Verdict<Tenant>> {
    // Nothing is awaited between finding none under way and starting one.
    const joined = this.#known.join(merchantId, nowMs);
    if (joined !== null) return joined;
    const started = this.#start(exchange, merchantId, nowMs);
    if (started === null) return { kind: 'away' };
    exchange.info.waitUntil(started);
    return withDeadline(flightMs, started, () => ({ kind: 'away' }));
  }

  #start(exchange: Exchange, merchantId: string, nowMs: number): Promise<Verdict<Tenant>> | null {
    return this.#known.start(merchantId, nowMs, () =>
      askCore(
        this.#origin,
        this.#ports.report,
        exchange,
        internalPaths.tenants + merchantId,
        (json) => tenantOf(merchantId, merchants.tenant.parse(json)),
        edgeLimits.tenantBudgetMs,
      ),
    );
  }
}

export function tenantOf(merchantId: string, { status, plan, allowed_origins }: merchants.Tenant): Tenant {
  const limited = plan !== null && Object.values(plan).some((count) => count !== null);
  return {
    isActive: status === 'active',
    plan: limited ? { burst: plan.burst, minute: plan.requests_per_minute, month: plan.requests_per_month } : null,
    planKey: `tenant ${merchantId}`,
    allowedOrigins: new Set(allowed_origins),
  };
}
