/**
 * The composition root: the one place where modules meet each other, the platform and the configuration.
 *
 * - O1 the server listens before anything else is there: what is missing is told by /readyz, and refused with 503.
 * - O2 a stop goes against the stream: the shards go to other processes, if there are any, while requests are still
 *   answered; then no new requests, those under way finish, then the ledger, then the relay, so that what was committed
 *   last is still announced; then the connections.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createBulkModule } from './bulk/index.ts';
import { type Config, migrationsFolder } from './config.ts';
import { createGiftcardModule } from './giftcard/index.ts';
import { createIdentityModule } from './identity/index.ts';
import { createLedger, type Ledger } from './ledger/index.ts';
import { limits } from './limits.ts';
import { createMerchantModule } from './merchant/index.ts';
import { createHttpServer, type Handlers, ProblemError, type Readiness } from './platform/http/index.ts';
import {
  createDatabase,
  createProbe,
  type Database,
  DatabaseUnavailable,
  newestMigration,
  type Probe,
} from './platform/postgres/index.ts';
import { connectRedis, noRedis, type RedisLink } from './platform/redis/index.ts';
import { createMetrics, type Log, type Metrics } from './platform/telemetry/index.ts';
import { createDayClosing } from './proof/index.ts';
import { createRelay, type RelayService } from './relay/index.ts';
import { createRulesModule } from './rules/index.ts';
import { createShards, shardLimits } from './shards/index.ts';
import { createWalletModule } from './wallet/index.ts';

export interface App {
  /** Resolves to the port when it listens; the rest comes up behind it. */
  start(): Promise<number>;
  /** Never rejects; bounded by the limits. */
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly log: Log;
  /** Called once when this process must not go on: it lost its writer to another, or a part cannot start. */
  readonly fatal: (reason: string, error?: unknown) => void;
}

/** The parts that one process shares. */
interface Platform {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly database: Database;
  readonly redis: RedisLink;
}

export function createApp(options: AppOptions): App {
  const { config, log } = options;
  const platform = createPlatform(options);
  const probe = createProbe({
    ...limits,
    url: config.databaseUrl,
    log,
    everyMs: limits.probeEveryMs,
    migration: newestMigration(migrationsFolder),
  });
  const relay = config.roles.has('relay') ? relayOf(platform) : null;
  let listeningPort = config.port;
  const address = () => config.address ?? `${reachableHost(config.host)}:${listeningPort}`;
  const api = config.roles.has('api') ? createApi(platform, options, relay, address) : null;
  const closing = config.roles.has('api')
    ? createDayClosing({ databaseUrl: config.databaseUrl, connectMs: limits.connectMs, log })
    : null;

  const server = createHttpServer({
    host: config.host,
    port: config.port,
    signingKeys: config.signingKeys,
    handlers: api?.handlers ?? {},
    findKeyGrant: api?.findKeyGrant ?? null,
    listRevocations: api?.listRevocations ?? null,
    readGenerations: api?.readGenerations ?? null,
    tenants: api?.tenants ?? null,
    peers: api?.shards.peers ?? null,
    pressure: api?.ledger.pressure ?? null,
    explain: (error) =>
      error instanceof DatabaseUnavailable ? new ProblemError('unavailable', { cause: error }) : null,
    readiness: () => readinessOf(probe, api?.ledger ?? null, relay, platform),
    openapi: readFileSync(fileURLToPath(import.meta.resolve('@local-plus/contracts/openapi.json')), 'utf8'),
    log,
    metrics: platform.metrics,
    limits,
  });

  return {
    async start() {
      const port = await server.listen();
      listeningPort = port;
      log.info('listening', { host: config.host, port, roles: [...config.roles] });
      platform.redis.start();
      relay?.start();
      api?.ledger.start().catch((error: unknown) => options.fatal('the ledger cannot start', error));
      closing?.start();
      await probe.start();
      return port;
    },
    async stop() {
      server.drain();
      const steps: readonly (readonly [string, () => unknown])[] = [
        ['shards', () => api?.shards.drain(limits.handOverMs)],
        ['http', () => server.stop()],
        ['ledger', () => api?.ledger.stop(limits.ledgerStopMs)],
        ['relay', () => relay?.stop(limits.relayStopMs)],
        ['membership', () => api?.shards.stop()],
        ['closing of days', () => closing?.stop(limits.closeMs)],
        ['probe', () => probe.stop()],
        ['redis', () => platform.redis.stop()],
        ['database', () => platform.database.close(limits.closeMs)],
      ];
      for (const [part, stop] of steps) {
        try {
          await stop();
        } catch (error) {
          log.error('a part did not stop', { part, error });
        }
      }
      log.info('stopped');
    },
  };
}

function createPlatform({ config, log }: AppOptions): Platform {
  const metrics = createMetrics();
  const database = createDatabase({ ...limits, url: config.databaseUrl, name: 'core', log });
  const bounds = {
    connectMs: limits.redisConnectMs,
    commandMs: limits.redisCommandMs,
    reconnectMsMin: limits.redisReconnectMsMin,
    reconnectMsMax: limits.redisReconnectMsMax,
    heartbeatMs: limits.redisHeartbeatMs,
    evictionsOwedMax: limits.evictionsOwedMax,
  };
  const redis = config.redisUrl === null ? noRedis : connectRedis(config.redisUrl, bounds, log, metrics);
  return { config, log, metrics, database, redis };
}

function createApi(platform: Platform, options: AppOptions, relay: RelayService | null, address: () => string) {
  const { config, log, metrics, database } = platform;
  const merchant = createMerchantModule({ ...platform, adminTokenDigest: config.adminTokenDigest, limits });
  const identity = createIdentityModule({ database });
  const giftcard = createGiftcardModule({ ...platform, limits });
  // Wallets ask the ledger for balances, the ledger asks wallets for terms: both ask only once both are there.
  const wallet = createWalletModule({
    database,
    programs: merchant.programs,
    balances: { balance: (accountId) => ledger.balances.balance(accountId) },
    metrics,
    limits,
  });
  const rules = createRulesModule({
    database,
    programs: merchant.programs,
    wallets: wallet.accounts,
    states: { read: (accountId) => ledger.states.read(accountId) },
  });
  let isSuperseded = false;
  const superseded = () => {
    if (!isSuperseded) options.fatal('another process owns this writer now');
    isSuperseded = true;
  };
  const shards = createShards({
    ...platform,
    databaseUrl: config.databaseUrl,
    writerId: config.writerId,
    address,
    signingKey: config.signingKeys[0],
    relay: config.kafkaBrokers.length > 0 ? relay : null,
    limits: { ...shardLimits, deadMs: config.memberDeadMs },
    superseded,
  });
  const ledger: Ledger = createLedger({
    databaseUrl: config.databaseUrl,
    database,
    writerId: config.writerId,
    accounts: wallet.accounts,
    purchases: rules.purchases,
    log,
    registry: metrics.registry,
    committed: (batch) => relay?.offer(batch),
    superseded,
    share: shards.share,
  });
  const bulk = createBulkModule({ ledger: ledger.lines, log, metrics });
  const handlers: Handlers = {
    ...merchant.handlers,
    ...identity.handlers,
    ...giftcard.handlers,
    ...wallet.handlers,
    ...rules.handlers,
    ...ledger.handlers,
    ...shards.handlers,
    ...bulk.handlers,
  };
  const { listRevocations } = identity;
  const readGenerations = async () => ({ catalog: await giftcard.catalogGeneration() });
  const { findKeyGrant, tenants } = merchant;
  return { handlers, findKeyGrant, tenants, listRevocations, readGenerations, ledger, shards };
}

/** Nobody can be reached at "any address": then by the name of the machine. */
function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}

function relayOf({ config, log, metrics }: Platform): RelayService {
  const relay = createRelay({
    writerId: config.writerId,
    databaseUrl: config.databaseUrl,
    brokers: config.kafkaBrokers,
    log,
  });
  relay.collectMetrics(metrics.registry);
  return relay;
}

/** Database, migration and ledger decide; Redis and Kafka are only shown, because neither stops an earn or a burn. */
function readinessOf(
  probe: Probe,
  ledger: Ledger | null,
  relay: RelayService | null,
  { config, redis }: Platform,
): Readiness {
  const database = probe.reading();
  const lane = ledger?.readiness() ?? { ok: true, reasons: [] };
  const kafka = config.kafkaBrokers.length === 0 ? 'not configured' : relay?.status().connected ? 'up' : 'down';
  return {
    ok: database.ok && lane.ok,
    reasons: [...(database.ok ? [] : [`the database ${database.reason}`]), ...lane.reasons],
    parts: {
      database: database.ok ? 'up' : 'down',
      ledger: ledger === null ? 'no role' : lane.ok ? 'up' : 'down',
      redis: config.redisUrl === null ? 'not configured' : redis.isUp() ? 'up' : 'down',
      kafka: relay === null ? 'no role' : kafka,
    },
  };
}
