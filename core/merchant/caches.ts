/**
 * What is asked of merchants with every request, or every few seconds: kept in two levels, and evicted everywhere when it
 * changes (see platform/redis/cache.ts).
 */
import { isUuid, type MerchantId, members, merchants } from '@local-plus/contracts';
import { type RedisLink, TwoLevelCache } from '../platform/redis/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import type { ConfigurationStore } from './configuration-store.ts';
import type { KeyFacts, KeyStore } from './keys-store.ts';
import type { MemberStore } from './members-store.ts';
import type { MerchantStore } from './store.ts';

export interface CacheLimits {
  readonly apiKeysHeldMax: number;
  readonly cacheL1Ms: number;
  readonly cacheL1AloneMs: number;
  readonly cacheAbsentMs: number;
  readonly cacheTombstoneMs: number;
  readonly apiKeyL2Ms: number;
}

export interface CachePorts {
  readonly merchants: MerchantStore;
  readonly keys: KeyStore;
  readonly members: MemberStore;
  readonly configurations: ConfigurationStore;
  readonly redis: RedisLink;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: CacheLimits;
}

export interface MerchantCaches {
  /** By the SHA-256 of the key in lower-case hex. */
  readonly grants: TwoLevelCache<KeyFacts>;
  /** By the merchant's id: of every state. */
  readonly tenants: TwoLevelCache<merchants.Tenant>;
  /** By {@link memberKey}. */
  readonly roles: TwoLevelCache<members.SetRole>;
  /** By the merchant's id; the defaults where nothing is set. */
  readonly settings: TwoLevelCache<merchants.Configuration>;
}

export function createCaches(ports: CachePorts): MerchantCaches {
  const { redis, log, metrics, limits } = ports;
  const cacheOf = <Value>(
    name: string,
    version: string,
    load: (id: string) => Promise<Value | null>,
    parse: (json: unknown) => Value,
  ): TwoLevelCache<Value> => {
    const times = {
      l1Ms: limits.cacheL1Ms,
      aloneMs: limits.cacheL1AloneMs,
      absentMs: limits.cacheAbsentMs,
      l2Ms: limits.apiKeyL2Ms,
      tombstoneMs: limits.cacheTombstoneMs,
    };
    const options = { ...times, name, version, heldMax: limits.apiKeysHeldMax, load, parse };
    return new TwoLevelCache<Value>(options, redis, log, metrics);
  };
  const keyFacts = merchants.keyGrant.omit({ tenant: true });
  return {
    grants: cacheOf(
      'merchant:apikey',
      'v3',
      (digest) => ports.keys.grant(digest),
      (json) => keyFacts.parse(json),
    ),
    tenants: cacheOf(
      'merchant:tenant',
      'v2',
      (id) => ports.merchants.tenant(id),
      (json) => merchants.tenant.parse(json),
    ),
    roles: cacheOf(
      'merchant:role',
      'v1',
      (key) => loadRole(ports.members, key),
      (json) => members.setRole.parse(json),
    ),
    settings: cacheOf(
      'merchant:settings',
      'v1',
      (id) => ports.configurations.settings(id as MerchantId),
      (json) => merchants.configuration.parse(json),
    ),
  };
}

/** Neither part has a space in it. null: there can be no such member. */
export function memberKey(merchantId: string, subject: string): string | null {
  return isUuid(merchantId) && subject !== '' ? `${merchantId} ${subject}` : null;
}

async function loadRole(store: MemberStore, key: string): Promise<members.SetRole | null> {
  const [merchantId = '', subject = ''] = key.split(' ');
  const role = await store.role(merchantId, subject);
  return role === null ? null : { role };
}
