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
import { createApi, createPlatform, type Platform } from './composition/index.ts';
import type { Config } from './config.ts';
import { openProbes, type Probes } from './databases.ts';
import type { Ledger } from './ledger/index.ts';
import { limits } from './limits.ts';
import { createOutbox, type OutboxService } from './outbox/index.ts';
import { createHttpServer, ProblemError, type Readiness } from './platform/http/index.ts';
import { DatabaseUnavailable } from './platform/postgres/index.ts';
import type { Log } from './platform/telemetry/index.ts';
import { createDayClosing } from './proof/index.ts';
import { createRelay, type RelayService } from './relay/index.ts';

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

export function createApp(options: AppOptions): App {
  const { config, log } = options;
  const platform = createPlatform(options);
  const { databases } = platform;
  const probes = openProbes(config, databases, log);
  const relay = config.roles.has('relay') ? relayOf(platform) : null;
  const outbox = config.roles.has('relay') ? outboxOf(platform) : null;
  let listeningPort = config.port;
  const address = () => config.address ?? `${reachableHost(config.host)}:${listeningPort}`;
  const superseded = () => options.fatal('another process owns this writer now');
  const api = config.roles.has('api') ? createApi(platform, { relay, address, superseded }) : null;
  const closing = config.roles.has('api')
    ? createDayClosing({ databaseUrl: databases.ledger.own.url, connectMs: limits.connectMs, log })
    : null;

  const server = createHttpServer({
    host: config.host,
    port: config.port,
    signingKeys: config.signingKeys,
    handlers: api?.handlers ?? {},
    findKeyGrant: api?.merchant.findKeyGrant ?? null,
    listRevocations: api?.listRevocations ?? null,
    readGenerations: api?.readGenerations ?? null,
    tenants: api?.merchant.tenants ?? null,
    peers: api?.shards.peers ?? null,
    pressure: api?.ledger.pressure ?? null,
    explain: (error) =>
      error instanceof DatabaseUnavailable ? new ProblemError('unavailable', { cause: error }) : null,
    readiness: () => readinessOf(probes, api?.ledger ?? null, relay, platform),
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
      outbox?.start();
      api?.ledger.start().catch((error: unknown) => options.fatal('the ledger cannot start', error));
      closing?.start();
      api?.cards.start();
      api?.payments.start();
      api?.liability.start();
      api?.customers.start();
      api?.tiers.start();
      api?.rewards.start();
      await probes.start();
      return port;
    },
    async stop() {
      server.drain();
      const steps: readonly (readonly [string, () => unknown])[] = [
        ['shards', () => api?.shards.drain(limits.handOverMs)],
        ['http', () => server.stop()],
        ['liability', () => api?.liability.stop()],
        ['payments', () => api?.payments.stop()],
        ['gift cards', () => api?.cards.stop()],
        ['customers', () => api?.customers.stop()],
        ['tiers', () => api?.tiers.stop()],
        ['rewards', () => api?.rewards.stop()],
        ['ledger', () => api?.ledger.stop(limits.ledgerStopMs)],
        ['relay', () => Promise.all([relay?.stop(limits.relayStopMs), outbox?.stop(limits.relayStopMs)])],
        ['uses of keys', () => api?.merchant.stop()],
        ['membership', () => api?.shards.stop()],
        ['closing of days', () => closing?.stop(limits.closeMs)],
        ['probes', () => probes.stop()],
        ['redis', () => platform.redis.stop()],
        ['databases', () => databases.close(limits.closeMs)],
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

/** Nobody can be reached at "any address": then by the name of the machine. */
function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}

/** The modules' events stand where the modules do. */
function outboxOf({ config, log, metrics }: Platform): OutboxService | null {
  const clientId = `local-plus-outbox-${config.writerId}`;
  const { databaseUrl, kafkaBrokers: brokers, kafkaAccess } = config;
  return createOutbox({ ...kafkaAccess, databaseUrl, brokers, clientId, log, metrics });
}

function relayOf({ config, databases, log, metrics }: Platform): RelayService {
  const relay = createRelay({
    ...config.kafkaAccess,
    writerId: config.writerId,
    databaseUrl: databases.ledger.own.url,
    brokers: config.kafkaBrokers,
    log,
  });
  relay.collectMetrics(metrics.registry);
  return relay;
}

/**
 * Database, migration and ledger decide; Redis and Kafka are only shown, because neither stops an earn or a burn. Where this
 * process commits to another database than the first, the first is only shown, too: what is known of wallets is in memory.
 */
function readinessOf(
  probes: Probes,
  ledger: Ledger | null,
  relay: RelayService | null,
  { config, redis }: Platform,
): Readiness {
  const database = probes.ledger.reading();
  const lane = ledger?.readiness() ?? { ok: true, reasons: [] };
  const kafka = config.kafkaBrokers.length === 0 ? 'not configured' : relay?.status().connected ? 'up' : 'down';
  return {
    ok: database.ok && lane.ok,
    reasons: [...(database.ok ? [] : [`the database ${database.reason}`]), ...lane.reasons],
    parts: {
      database: database.ok ? 'up' : 'down',
      ...(probes.home === probes.ledger ? {} : { home: probes.home.reading().ok ? 'up' : 'down' }),
      ledger: ledger === null ? 'no role' : lane.ok ? 'up' : 'down',
      redis: config.redisUrl === null ? 'not configured' : redis.isUp() ? 'up' : 'down',
      kafka: relay === null ? 'no role' : kafka,
    },
  };
}
