/**
 * What the isolate knows of merchants for whom customers call: with a key it comes with the key's grant, with a token it
 * is asked of core, and known as keys are (core-facts.ts).
 *
 * N1  A merchant that core does not know of has no plan and no origins: whose customers an issuer lets call is its word.
 * N2  While core cannot be asked, what was known is used for `keyServedMs`, then nobody's token passes.
 */
import { internalPaths, merchants } from '@local-plus/contracts';
import { CoreFacts } from './core-facts.ts';
import type { Tenant } from './exchange.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

/** By the merchant's id; null: nothing is known of it (N1). */
export type Tenants = CoreFacts<Tenant>;

export function createTenants(ports: Ports, origin: Origin): Tenants {
  return new CoreFacts(ports, origin, {
    targetOf: (merchantId) => internalPaths.tenants + merchantId,
    read: (merchantId, json) => tenantOf(merchantId, merchants.tenant.parse(json)),
  });
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
