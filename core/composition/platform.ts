/** What all modules of one process share. */
import type { Config } from '../config.ts';
import { type Databases, openDatabases } from '../databases.ts';
import { limits } from '../limits.ts';
import type { Database } from '../platform/postgres/index.ts';
import { connectRedis, noRedis, type RedisLink } from '../platform/redis/index.ts';
import { createMetrics, type Log, type Metrics } from '../platform/telemetry/index.ts';

export interface Platform {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly databases: Databases;
  /** All that is not the ledger. */
  readonly database: Database;
  readonly redis: RedisLink;
}

export function createPlatform({ config, log }: Pick<Platform, 'config' | 'log'>): Platform {
  const metrics = createMetrics();
  const databases = openDatabases(config, log);
  const bounds = {
    connectMs: limits.redisConnectMs,
    commandMs: limits.redisCommandMs,
    reconnectMsMin: limits.redisReconnectMsMin,
    reconnectMsMax: limits.redisReconnectMsMax,
    heartbeatMs: limits.redisHeartbeatMs,
    evictionsOwedMax: limits.evictionsOwedMax,
  };
  const redis = config.redisUrl === null ? noRedis : connectRedis(config.redisUrl, bounds, log, metrics);
  return { config, log, metrics, databases, database: databases.home, redis };
}
