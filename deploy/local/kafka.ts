/**
 * Kafka: one real broker (KRaft, broker and controller in one JVM), our own child process, with every topic of contracts.
 *
 * Locally there is one replica of everything; the shape (topics, keys, retention, dead-letter topics) is production's.
 * `start()` resolves when the broker answers a metadata request and every topic exists.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deadLetterTopic, topics } from '@local-plus/contracts';
import kafkajs from 'kafkajs';
import { runCommand } from './commands.ts';
import { StartError } from './errors.ts';
import { writeFileAtomic } from './files.ts';
import { type KafkaRuntime, kafkaRuntime } from './kafka-runtime.ts';
import { limits } from './limits.ts';
import { defaultCacheDir } from './places.ts';
import { localHost } from './ports.ts';
import { createServer, type Server, type ServerOptions } from './server.ts';

export interface KafkaOptions extends Partial<Pick<ServerOptions, 'runDir' | 'logDir'>> {
  /** The broker's folder: its properties and its log segments. */
  readonly dataDir: string;
  /** Where clients connect. */
  readonly port: number;
  /** Where clients are told to connect, when that is not `port` on the loopback: a proxy's place. */
  readonly advertisedHost?: string;
  readonly advertisedPort?: number;
  /** Where the broker talks to its controller (itself); `port + 1` when absent. */
  readonly controllerPort?: number;
  /** One more place where clients connect, where they have to say who they are (SASL_PLAINTEXT, PLAIN). */
  readonly sasl?: { readonly port: number; readonly username: string; readonly password: string };
  /** Where the jars are kept; the checkout's `.local/cache` when absent. */
  readonly cacheDir?: string;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface KafkaServer extends Server {
  /** `host:port`, for a client's list of brokers. */
  readonly brokers: readonly string[];
}

const partitionCount = 3;
const retentionMs = 7 * 24 * 3_600_000;
const logConfig = fileURLToPath(new URL('kafka/log4j2.properties', import.meta.url));

/** Small, quiet, quick to start: the broker shares two cores with everything else. */
const jvmFlags = [
  '-Xmx320m',
  '-Xms64m',
  '-XX:+UseSerialGC',
  // The quick compiler only: ready in 2.7 s instead of 3.9 s, for 2.6 s of CPU instead of 4.1 s.
  '-XX:TieredStopAtLevel=1',
  '-XX:+ExitOnOutOfMemoryError',
  '-Djava.net.preferIPv4Stack=true',
  '-Djava.awt.headless=true',
  `-Dlog4j2.configurationFile=${logConfig}`,
];

/** The broker, not yet started. */
export function kafkaServer(options: KafkaOptions): KafkaServer {
  const parent = dirname(options.dataDir);
  const runDir = options.runDir ?? join(parent, 'run');
  const logDir = options.logDir ?? join(parent, 'logs');
  const cacheDir = options.cacheDir ?? defaultCacheDir;
  const controllerPort = options.controllerPort ?? options.port + 1;
  const brokers = [`${localHost}:${options.port}`];
  const propertiesFile = join(options.dataDir, 'server.properties');
  const admin = adminOf(brokers);
  let runtime: KafkaRuntime | null = null;

  const server = createServer({
    name: 'kafka',
    title: 'Kafka',
    url: () => `kafka://${localHost}:${options.port}`,
    portFlag: '--kafka-port',
    options: { ...options, runDir, logDir },
    ports: [options.port, controllerPort, ...(options.sasl ? [options.sasl.port] : [])],
    stopSignal: 'SIGTERM',
    stopGraceMs: limits.kafkaStopMs,
    readyMs: limits.kafkaReadyMs,
    async prepare() {
      runtime ??= await kafkaRuntime({ ...options, cacheDir, logDir });
      mkdirSync(options.dataDir, { recursive: true });
      writeFileAtomic(propertiesFile, properties(options, controllerPort));
      await formatOnce(runtime, options, propertiesFile, join(logDir, 'kafka-format.log'));
      return { command: runtime.java, args: javaArgs(runtime, 'kafka.Kafka', propertiesFile), cwd: options.dataDir };
    },
    isReady: () => admin.answers(),
    afterReady: () => admin.createTopics(),
  });
  return Object.assign(server, { brokers });
}

export async function startKafka(options: KafkaOptions): Promise<KafkaServer> {
  const server = kafkaServer(options);
  await server.start();
  return server;
}

/** Every topic of the platform with its dead-letter topic. */
export function allTopics(): string[] {
  return Object.values(topics).flatMap((topic) => [topic, deadLetterTopic(topic)]);
}

function javaArgs(runtime: KafkaRuntime, main: string, ...args: string[]): string[] {
  return [...jvmFlags, '-cp', join(runtime.libDir, '*'), main, ...args];
}

/** Kafka's own mark of a formatted folder is meta.properties; an interrupted format has not written it. */
async function formatOnce(
  runtime: KafkaRuntime,
  options: KafkaOptions,
  propertiesFile: string,
  logFile: string,
): Promise<void> {
  if (existsSync(join(options.dataDir, 'log', 'meta.properties'))) return;
  options.log?.('formatting the log folder');
  // A cluster id is 16 bytes in base64url; any will do, and StorageTool refuses one that starts with a dash.
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url').replace(/^-/, 'A');
  const args = javaArgs(runtime, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile);
  const bounds = { timeoutMs: limits.kafkaFormatMs, logFile, signal: options.signal };
  const outcome = await runCommand(runtime.java, args, bounds);
  if (outcome.kind === 'done') return;
  const why = outcome.kind === 'failed' ? `${outcome.exit}, see ${logFile}:\n${outcome.tail}` : 'Java is gone';
  throw new StartError(`Kafka's folder ${options.dataDir} could not be formatted (${why}).`);
}

function saslProperties({ username, password }: NonNullable<KafkaOptions['sasl']>): string[] {
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  return [
    'listener.name.named.sasl.enabled.mechanisms=PLAIN',
    `listener.name.named.plain.sasl.jaas.config=${login} required user_${username}="${password}";`,
  ];
}

function properties(options: KafkaOptions, controllerPort: number): string {
  const { dataDir, port, advertisedHost = localHost, advertisedPort = port, sasl } = options;
  const named = sasl ? `,NAMED://${localHost}:${sasl.port}` : '';
  const one = ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'];
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${localHost}:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=CLIENT://${localHost}:${port},CONTROLLER://${localHost}:${controllerPort}${named}`,
    `advertised.listeners=CLIENT://${advertisedHost}:${advertisedPort}${named}`,
    'listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,NAMED:SASL_PLAINTEXT',
    ...(sasl ? saslProperties(sasl) : []),
    'inter.broker.listener.name=CLIENT',
    `log.dirs=${join(dataDir, 'log')}`,
    'auto.create.topics.enable=false',
    `num.partitions=${partitionCount}`,
    'default.replication.factor=1',
    'min.insync.replicas=1',
    ...one.flatMap((prefix) => [`${prefix}.replication.factor=1`, `${prefix}.min.isr=1`, `${prefix}.num.partitions=1`]),
    `log.retention.ms=${retentionMs}`,
    'group.initial.rebalance.delay.ms=0',
    // A killed broker's session has to be over before it may come back: 9 s by default.
    'broker.session.timeout.ms=2000',
    'broker.heartbeat.interval.ms=400',
    '',
  ].join('\n');
}

function adminOf(brokers: string[]): { answers(): Promise<boolean>; createTopics(): Promise<void> } {
  const client = new kafkajs.Kafka({
    clientId: 'local-plus-stack',
    brokers,
    connectionTimeout: 1_000,
    requestTimeout: 10_000,
    retry: { retries: 0 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  return {
    async answers() {
      const admin = client.admin();
      try {
        await admin.connect();
        await admin.describeCluster();
        return true;
      } catch {
        // Refused, reset or "broker not available yet": it is still starting, which is what is being asked.
        return false;
      } finally {
        await admin.disconnect();
      }
    },
    async createTopics() {
      const admin = client.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30 } });
      try {
        await admin.connect();
        const existing = new Set(await admin.listTopics());
        const missing = allTopics().filter((topic) => !existing.has(topic));
        if (missing.length === 0) return;
        await admin.createTopics({
          waitForLeaders: true,
          topics: missing.map((topic) => ({
            topic,
            numPartitions: partitionCount,
            replicationFactor: 1,
            configEntries: [{ name: 'retention.ms', value: String(retentionMs) }],
          })),
        });
      } finally {
        await admin.disconnect();
      }
    },
  };
}
