/**
 * The merchant module: merchants, API keys, programs. Owner of those three tables.
 */
import { merchants, type ProgramId } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../platform/postgres/index.ts';
import { type RedisLink, TwoLevelCache } from '../platform/redis/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { ProgramDirectory } from './directory.ts';
import { operatorGrant, type ProgramFacts } from './domain.ts';
import { merchantHandlers } from './handler.ts';
import { MerchantStore, type ProgramRow } from './store.ts';

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
  readonly programs: {
    /** At once when it is known; programs never change what is told here. */
    find(programId: ProgramId): ProgramFacts | null | Promise<ProgramFacts | null>;
  };
}

export function createMerchantModule(options: MerchantOptions): MerchantModule {
  const { database, redis, log, metrics, limits, adminTokenDigest } = options;
  const store = new MerchantStore(database);
  const grants = new TwoLevelCache<merchants.KeyGrant>(
    {
      name: 'merchant:apikey',
      version: 'v1',
      heldMax: limits.apiKeysHeldMax,
      l1Ms: limits.cacheL1Ms,
      aloneMs: limits.cacheL1AloneMs,
      absentMs: limits.cacheAbsentMs,
      l2Ms: limits.apiKeyL2Ms,
      tombstoneMs: limits.cacheTombstoneMs,
      load: (digest) => store.grant(digest),
      parse: (json) => merchants.keyGrant.parse(json),
    },
    redis,
    log,
    metrics,
  );
  const programRows = new Batcher<ProgramId, ProgramRow | null>({
    batchMax: limits.programBatchMax,
    waitingMax: limits.programWaitingMax,
    run: (ids) => store.programs(ids),
    concernsAll: (error) => error instanceof DatabaseUnavailable,
    refusal: () => new ProblemError('overloaded'),
  });
  const programs = new ProgramDirectory(programRows, limits.programsHeldMax);

  return {
    handlers: merchantHandlers({ store, nowMs: Date.now, revoked: (digest) => grants.evict(digest) }),
    findKeyGrant: (digest) => (digest === adminTokenDigest ? Promise.resolve(operatorGrant) : grants.get(digest)),
    programs: { find: (programId) => programs.find(programId) },
  };
}
