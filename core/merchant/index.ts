/**
 * The merchant module: merchants and their states, configuration, members and API keys. Owner of `merchants`,
 * `merchant_changes`, `merchant_transitions`, `merchant_configurations`, `merchant_members` and `api_keys`.
 */
import { isUuid, type MerchantId, type members, merchants } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { RedisLink } from '../platform/redis/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { type CacheLimits, createCaches, memberKey } from './caches.ts';
import { configurationHandlers } from './configuration-handler.ts';
import { ConfigurationStore } from './configuration-store.ts';
import { memberScopes, operatorGrant } from './domain.ts';
import { merchantHandlers } from './handler.ts';
import { keyHandlers } from './keys-handler.ts';
import { KeyStore } from './keys-store.ts';
import { LastUsed } from './last-used.ts';
import { lifecycleHandlers } from './lifecycle-handler.ts';
import { LifecycleStore } from './lifecycle-store.ts';
import { memberHandlers } from './members-handler.ts';
import { MemberStore } from './members-store.ts';
import { MerchantStore } from './store.ts';

export interface MerchantOptions {
  readonly database: Database;
  readonly redis: RedisLink;
  /** Lower-case hex of the operator's token's SHA-256. */
  readonly adminTokenDigest: string;
  /** Called when a merchant's state has changed, before that is answered; again on a replay. */
  readonly stateChanged: () => Promise<void>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: CacheLimits & {
    readonly keyUsesWriteAfterMs: number;
    readonly keyUsesMax: number;
  };
}

export interface MerchantModule {
  readonly handlers: Handlers;
  /** What the bearer of a key may do, by the SHA-256 of the key in lower-case hex. */
  readonly findKeyGrant: (digestHex: string) => Promise<merchants.KeyGrant | null>;
  readonly tenants: {
    /** What holds for a merchant and everybody who calls for it, whatever its state; null: there is none. */
    find(merchantId: string): Promise<merchants.Tenant | null>;
    /** What a token's subject may do as a member; null: it is none. */
    findMember(merchantId: string, subject: string): Promise<members.MemberGrant | null>;
    /** Whether scripts of this origin may call for some merchant. */
    isAllowedOrigin(origin: string): Promise<boolean>;
  };
  /** What a merchant wishes of the platform; the defaults where nothing is set, and for a merchant that there is not. */
  readonly settings: {
    find(merchantId: MerchantId): Promise<merchants.Configuration>;
    /** In which its days end: of the IANA database, `UTC` by default. A change is known everywhere within seconds. */
    timeZone(merchantId: MerchantId): Promise<string>;
  };
  /** Writes what is only in memory: when keys were used last. Never rejects. */
  stop(): Promise<void>;
}

export function createMerchantModule(options: MerchantOptions): MerchantModule {
  const { database, log, limits, adminTokenDigest } = options;
  const nowMs = Date.now;
  const store = new MerchantStore(database);
  const keys = new KeyStore(database);
  const memberStore = new MemberStore(database);
  const configurations = new ConfigurationStore(database);
  const caches = createCaches({ ...options, merchants: store, keys, members: memberStore, configurations });
  const lastUsed = new LastUsed({
    write: (moments) => keys.used(moments),
    nowMs,
    writeAfterMs: limits.keyUsesWriteAfterMs,
    keysMax: limits.keyUsesMax,
    log,
  });

  const findTenant = (merchantId: string) =>
    isUuid(merchantId) ? caches.tenants.get(merchantId) : Promise.resolve(null);
  const findKeyGrant = async (digest: string): Promise<merchants.KeyGrant | null> => {
    if (digest === adminTokenDigest) return operatorGrant;
    const facts = await caches.grants.get(digest);
    if (facts === null || facts.merchant_id === null) return null;
    if (facts.expires_at_ms !== null && facts.expires_at_ms <= nowMs()) return null;
    const tenant = await findTenant(facts.merchant_id);
    if (tenant?.status !== 'active') return null;
    lastUsed.note(facts.api_key_id);
    return { ...facts, tenant };
  };
  const findMember = async (merchantId: string, subject: string): Promise<members.MemberGrant | null> => {
    const key = memberKey(merchantId, subject);
    const found = key === null ? null : await caches.roles.get(key);
    const tenant = found === null ? null : await findTenant(merchantId);
    return found === null || tenant === null
      ? null
      : { role: found.role, scopes: [...memberScopes(found.role, tenant.status)] };
  };
  const findSettings = async (merchantId: MerchantId) =>
    (await caches.settings.get(merchantId)) ?? merchants.defaultConfiguration;
  const changed = (merchantId: MerchantId) => caches.tenants.evict(merchantId);
  const stateChanged = async (merchantId: MerchantId) => {
    await changed(merchantId);
    await options.stateChanged();
  };
  const memberChanged = async (merchantId: MerchantId, subject: string) => {
    const key = memberKey(merchantId, subject);
    if (key !== null) await caches.roles.evict(key);
  };

  return {
    handlers: {
      ...merchantHandlers({ store, nowMs, changed }),
      ...lifecycleHandlers({ store, transitions: new LifecycleStore(database), nowMs, changed: stateChanged }),
      ...configurationHandlers({ store, configurations, nowMs, changed: (id) => caches.settings.evict(id) }),
      ...keyHandlers({ store, keys, nowMs, changed: (digest) => caches.grants.evict(digest) }),
      ...memberHandlers({ store, members: memberStore, nowMs, changed: memberChanged }),
    },
    findKeyGrant,
    tenants: { find: findTenant, findMember, isAllowedOrigin: (origin) => store.isAllowedOrigin(origin) },
    settings: {
      find: findSettings,
      timeZone: async (merchantId) => (await findSettings(merchantId)).time_zone,
    },
    stop: () => lastUsed.flush(),
  };
}
