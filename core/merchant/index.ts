/**
 * The merchant module: merchants, API keys, programs. Owner of those tables.
 */
import { isUuid, merchants, type ProgramId } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../platform/postgres/index.ts';
import { type RedisLink, TwoLevelCache } from '../platform/redis/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { ProgramDirectory } from './directory.ts';
import { operatorGrant, type ProgramFacts } from './domain.ts';
import { merchantHandlers } from './handler.ts';
import { type KeyFacts, MerchantStore, type ProgramRow } from './store.ts';

export type { ProgramFacts } from './domain.ts';
export type { ProgramRules } from './rules.ts';

export interface MerchantOptions {
  readonly database: Database;
  readonly redis: RedisLink;
  /** Lower-case hex of the operator's token's SHA-256. */
  readonly adminTokenDigest: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: {
    readonly apiKeysHeldMax: number;
    readonly programsHeldMax: number;
    readonly programBatchMax: number;
    readonly programWaitingMax: number;
    readonly cacheL1Ms: number;
    readonly cacheL1AloneMs: number;
    readonly cacheAbsentMs: number;
    readonly cacheTombstoneMs: number;
    readonly apiKeyL2Ms: number;
  };
}

export interface MerchantModule {
  readonly handlers: Handlers;
  /** What the bearer of a key may do, by the SHA-256 of the key in lower-case hex. */
  readonly findKeyGrant: (digestHex: string) => Promise<merchants.KeyGrant | null>;
  readonly tenants: {
    /** What holds for a merchant and everybody who calls for it; null: there is none, or it is not active. */
    find(merchantId: string): Promise<merchants.Tenant | null>;
    /** Whether scripts of this origin may call for some merchant. */
    isAllowedOrigin(origin: string): Promise<boolean>;
  };
  readonly programs: {
    /** At once when it is known; programs never change what is told here. */
    find(programId: ProgramId): ProgramFacts | null | Promise<ProgramFacts | null>;
  };
}

export function createMerchantModule(options: MerchantOptions): MerchantModule {
  const { database, redis, log, metrics, limits, adminTokenDigest } = options;
  const store = new MerchantStore(database);
  const bounds = {
    heldMax: limits.apiKeysHeldMax,
    l1Ms: limits.cacheL1Ms,
    aloneMs: limits.cacheL1AloneMs,
    absentMs: limits.cacheAbsentMs,
    l2Ms: limits.apiKeyL2Ms,
    tombstoneMs: limits.cacheTombstoneMs,
  };
  const keyFacts = merchants.keyGrant.omit({ tenant: true });
  const grants = new TwoLevelCache<KeyFacts>(
    {
      ...bounds,
      name: 'merchant:apikey',
      version: 'v2',
      load: (digest) => store.grant(digest),
      parse: (json) => keyFacts.parse(json),
    },
    redis,
    log,
    metrics,
  );
  const tenants = new TwoLevelCache<merchants.Tenant>(
    {
      ...bounds,
      name: 'merchant:tenant',
      version: 'v1',
      load: (merchantId) => store.tenant(merchantId),
      parse: (json) => merchants.tenant.parse(json),
    },
    redis,
    log,
    metrics,
  );
  const findTenant = (merchantId: string) => (isUuid(merchantId) ? tenants.get(merchantId) : Promise.resolve(null));
  const findKeyGrant = async (digest: string): Promise<merchants.KeyGrant | null> => {
    if (digest === adminTokenDigest) return operatorGrant;
    const facts = await grants.get(digest);
    if (facts === null || facts.merchant_id === null) return null;
    const tenant = await findTenant(facts.merchant_id);
    return tenant === null ? null : { ...facts, tenant };
  };
  const programRows = new Batcher<ProgramId, ProgramRow | null>({
    batchMax: limits.programBatchMax,
    waitingMax: limits.programWaitingMax,
    run: (ids) => store.programs(ids),
    concernsAll: (error) => error instanceof DatabaseUnavailable,
    refusal: () => new ProblemError('overloaded'),
  });
  const programs = new ProgramDirectory(programRows, limits.programsHeldMax);

  return {
    handlers: merchantHandlers({
      store,
      nowMs: Date.now,
      revoked: (digest) => grants.evict(digest),
      changed: (merchantId) => tenants.evict(merchantId),
    }),
    findKeyGrant,
    tenants: { find: findTenant, isAllowedOrigin: (origin) => store.isAllowedOrigin(origin) },
    programs: { find: (programId) => programs.find(programId) },
  };
}
