/**
 * API keys: from the `Authorization` header (RFC 6750 §2.1) to the key's digest, and from the digest to core's word.
 *
 * The key itself is neither kept nor sent: only its SHA-256 is compared and looked up, so that comparing leaks nothing
 * about a key through time.
 */
import { internalPaths, merchants } from '@local-plus/contracts';
import { askCore } from './core-questions.ts';
import type { Exchange, Grant, Tenant } from './exchange.ts';
import type { Verdict } from './key-cache.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';
import { tenantOf } from './tenants.ts';

const BEARER = /^Bearer +(lp_(?:live|admin)_[A-Za-z0-9_-]{16,128})$/i;

/** Null when the header holds nothing that looks like a key of ours. */
export function presentedKey(authorization: string | null): string | null {
  return authorization === null ? null : (BEARER.exec(authorization)?.[1] ?? null);
}

/** Made once per look-up: all requests of a key share it. */
export interface KnownKey {
  readonly grant: Grant;
  readonly tenant: Tenant | null;
  /** Unix time; null: never. */
  readonly expiresAtMs: number | null;
}

/** Asks core what a key may do. */
export function lookUpKey(
  origin: Origin,
  report: Ports['report'],
  exchange: Exchange,
  digest: string,
): Promise<Verdict<KnownKey>> {
  return askCore(origin, report, exchange, internalPaths.keys + digest, (json) =>
    knownKeyOf(merchants.keyGrant.parse(json)),
  );
}

function knownKeyOf(key: merchants.KeyGrant): KnownKey {
  const { api_key_id, merchant_id, scopes, burst, requests_per_minute: minute, requests_per_month: month } = key;
  const grant: Grant = {
    policy: 'key',
    subject: api_key_id,
    merchantId: merchant_id,
    scopes,
    plan: { burst, minute, month },
    planKey: api_key_id,
  };
  const tenant = merchant_id === null || key.tenant === null ? null : tenantOf(merchant_id, key.tenant);
  return { grant, tenant, expiresAtMs: key.expires_at_ms };
}
