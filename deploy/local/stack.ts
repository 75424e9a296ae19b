/**
 * The whole stack, up and down: Postgres, Kafka and Valkey side by side, then the migration, core, the edge. Each is
 * supervised from the moment it answers. Down goes the other way: edge, core, then the rest.
 *
 * Whatever happens on the way up, `stop()` ends everything that had been started.
 */
import { join } from 'node:path';
import { type Balancer, createBalancer } from './balancer.ts';
import { corePorts, databaseOfCore, postgresName, postgresPorts, type StackConfig } from './config.ts';
import { type CoreOptions, coreServer, migrate } from './core.ts';
import { edgeObjects, edgeServer } from './edge.ts';
import { AbsentError, messageOf } from './errors.ts';
import { kafkaServer } from './kafka.ts';
import { type PortUse, requireFreePorts } from './ports.ts';
import { postgresServer } from './postgres.ts';
import type { Progress, Task } from './progress.ts';
import type { Secrets } from './secrets.ts';
import { localHttp, type Server } from './server.ts';
import type { StackFile } from './stack-file.ts';
import { type Supervision, supervise } from './supervisor.ts';
import { valkeyServer } from './valkey.ts';

/** Of several processes of core, and of several databases, each is a part. */
type PartName = keyof StackFile['pids'] | `core-${number}` | `postgres-${number}`;

export interface StackParts {
  readonly databaseUrl: string;
  /** The ledger's other databases, by their ids. */
  readonly furtherDatabases: ReadonlyMap<number, string>;
  /** `null`: no Kafka. */
  readonly kafkaBrokers: readonly string[] | null;
  readonly redisUrl: string | null;
  readonly coreUrl: string;
  readonly edgeUrl: string;
}

export interface Stack {
  /** Starts every part. A StartError, or the abort of `signal`, ends it early: `stop()` is still the caller's to call. */
  start(): Promise<StackParts>;
  pids(): StackFile['pids'];
  cores(): StackFile['cores'];
  databases(parts: Pick<StackParts, 'databaseUrl' | 'furtherDatabases'>): StackFile['databases'];
  /** Ends every part in order; bounded. */
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly config: StackConfig;
  readonly secrets: Secrets;
  readonly progress: Progress;
  /** Ends a start early. */
  readonly signal: AbortSignal;
  /** After a part died and runs again. */
  readonly onRestart: () => void;
}

export function createStack(options: StackOptions): Stack {
  const { config, progress, signal } = options;
  const servers = new Map<PartName, Server>();
  const supervisions = new Map<PartName, Supervision>();
  /** In front of several processes of core. */
  let balancer: Balancer | null = null;

  /** Starts one part and watches over it from then on. */
  async function up<Part extends Server>(name: PartName, task: Task, part: Part): Promise<Part> {
    servers.set(name, part);
    try {
      await part.start();
    } catch (error) {
      if (error instanceof AbsentError) task.absent(error.message);
      else if (!signal.aborted) task.failed(messageOf(error).split('\n')[0] ?? '');
      throw error;
    }
    const log = (line: string): void => progress.line(line);
    supervisions.set(name, supervise(part, { log, onRestart: options.onRestart }));
    task.done(`${part.url.replace(/\/\/.*@/, '//')} (process ${part.pid ?? 'gone'})`);
    return part;
  }

  const shared = { runDir: config.runDir, logDir: config.logDir, cacheDir: config.cacheDir, signal };

  async function postgres(): Promise<Pick<StackParts, 'databaseUrl' | 'furtherDatabases'>> {
    if (config.databaseUrl !== null) {
      progress.task('Postgres').done('the one of DATABASE_URL');
      return { databaseUrl: config.databaseUrl, furtherDatabases: new Map() };
    }
    const urls: string[] = [];
    // One after the other: the first one may have to make the program and its user ready for all.
    for (const [index, port] of postgresPorts(config).entries()) {
      const name = postgresName(index);
      const task = progress.task(index === 0 ? 'Postgres' : `Postgres ${index + 1}`);
      const options = { ...shared, name, dataDir: join(config.dataDir, name), port, log: task.note };
      urls.push((await up(name, task, postgresServer(options))).url);
    }
    const [databaseUrl = '', ...further] = urls;
    return { databaseUrl, furtherDatabases: new Map(further.map((url, index) => [index + 2, url])) };
  }

  async function kafka(): Promise<readonly string[] | null> {
    const task = progress.task('Kafka');
    if (config.kafkaBrokers !== null) task.done('the one of KAFKA_BROKERS');
    else if (!config.kafka) task.absent('not wanted: events wait in the ledger');
    if (config.kafkaBrokers !== null || !config.kafka) return config.kafkaBrokers;
    const dataDir = join(config.dataDir, 'kafka');
    const { kafka: port, kafkaController: controllerPort } = config.ports;
    const part = kafkaServer({ ...shared, dataDir, port, controllerPort, log: task.note });
    return optional(async () => (await up('kafka', task, part)).brokers);
  }

  async function valkey(): Promise<string | null> {
    const task = progress.task('Valkey');
    if (config.redisUrl !== null) task.done('the one of REDIS_URL');
    else if (!config.valkey) task.absent('not wanted: each process keeps its own cache');
    if (config.redisUrl !== null || !config.valkey) return config.redisUrl;
    const dataDir = join(config.dataDir, 'valkey');
    const part = valkeyServer({ ...shared, dataDir, port: config.ports.valkey, log: task.note });
    return optional(async () => (await up('valkey', task, part)).url);
  }

  async function core(
    { databaseUrl, furtherDatabases }: Pick<StackParts, 'databaseUrl' | 'furtherDatabases'>,
    kafkaBrokers: readonly string[] | null,
    redisUrl: string | null,
  ): Promise<string> {
    const task = progress.task('core');
    const coreOptions: CoreOptions = {
      ...shared,
      port: config.ports.core,
      databaseUrl,
      furtherDatabases,
      kafkaBrokers: kafkaBrokers ?? [],
      redisUrl,
      signingKeys: [options.secrets.signing_key],
      adminToken: options.secrets.admin_token,
      giftcardCodeKeys: [options.secrets.giftcard_code_key],
      customerKeys: [options.secrets.customer_key],
      environment: config.environment,
      logLevel: config.logLevel,
      log: task.note,
    };
    task.note(config.databaseCount === 1 ? 'migrating the database' : 'migrating the databases');
    await migrate(coreOptions);
    if (config.coreCount === 1) return (await up('core', task, coreServer(coreOptions))).url;
    balancer = createBalancer(config.ports.core, corePorts(config));
    await balancer.start();
    task.done(`${localHttp(config.ports.core)} (${config.coreCount} processes behind it)`);
    await allOrFirstError(
      corePorts(config).map((port, index) => {
        const name = coreName(index);
        const writerId = index + 1;
        const part = coreServer({ ...coreOptions, name, port, writerId, databaseId: databaseOfCore(config, writerId) });
        return up(name, progress.task(name), part);
      }),
    );
    return localHttp(config.ports.core);
  }

  async function edge(): Promise<string> {
    const task = progress.task('edge');
    const part = edgeServer({
      ...shared,
      port: config.ports.edge,
      buildDir: join(config.dataDir, 'edge'),
      bindings: edgeBindings(config, options.secrets),
      durableObjects: edgeObjects,
      log: task.note,
    });
    return (await up('edge', task, part)).url;
  }

  return {
    async start() {
      await requireFreePorts(portsOf(config));
      const [databases, kafkaBrokers, redisUrl] = await allOrFirstError([postgres(), kafka(), valkey()] as const);
      const coreUrl = await core(databases, kafkaBrokers, redisUrl);
      return { ...databases, kafkaBrokers, redisUrl, coreUrl, edgeUrl: await edge() };
    },
    pids() {
      const pid = (name: PartName): number | null => servers.get(name)?.pid ?? null;
      return {
        core: pid(config.coreCount === 1 ? 'core' : coreName(0)),
        edge: pid('edge'),
        postgres: pid('postgres'),
        kafka: pid('kafka'),
        valkey: pid('valkey'),
      };
    },
    cores() {
      return corePorts(config).map((port, index) => {
        const name = config.coreCount === 1 ? 'core' : coreName(index);
        const database_id = databaseOfCore(config, index + 1);
        return { writer_id: index + 1, database_id, url: localHttp(port), pid: servers.get(name)?.pid ?? null };
      });
    },
    databases({ databaseUrl, furtherDatabases }) {
      return [databaseUrl, ...furtherDatabases.values()].map((url, index) => {
        return { id: index + 1, url, pid: servers.get(postgresName(index))?.pid ?? null };
      });
    },
    async stop() {
      const end = async (name: PartName): Promise<void> => {
        await (supervisions.get(name) ?? servers.get(name))?.stop();
      };
      const errors: unknown[] = [];
      const cores: readonly PartName[] = ['core', ...corePorts(config).map((_, index) => coreName(index))];
      const databases = postgresPorts(config).map((_, index) => postgresName(index));
      const order: readonly (readonly PartName[])[] = [['edge'], cores, ['kafka', 'valkey', ...databases]];
      for (const names of order) {
        for (const outcome of await Promise.allSettled(names.map(end))) {
          if (outcome.status === 'rejected') errors.push(outcome.reason);
        }
      }
      await balancer?.stop();
      if (errors.length > 0)
        throw new AggregateError(errors, `not everything ended: ${errors.map(messageOf).join('; ')}`);
    },
  };
}

function coreName(index: number): `core-${number}` {
  return `core-${index + 1}`;
}

function edgeBindings(config: StackConfig, secrets: Secrets): Record<string, string> {
  return { ORIGIN_URL: localHttp(config.ports.core), SIGNING_KEYS: secrets.signing_key, ENVIRONMENT: 'local' };
}

/** Every port that this start needs, so that all the taken ones are told at once. */
function portsOf(config: StackConfig): PortUse[] {
  const { ports } = config;
  const uses: PortUse[] = [
    { port: ports.edge, wantedBy: 'the edge', flag: '--edge-port' },
    { port: ports.core, wantedBy: 'core', flag: '--core-port' },
  ];
  if (config.coreCount > 1) {
    for (const port of corePorts(config)) uses.push({ port, wantedBy: 'a process of core', flag: '--core-port' });
  }
  if (config.databaseUrl === null) {
    for (const port of postgresPorts(config)) uses.push({ port, wantedBy: 'Postgres', flag: '--postgres-port' });
  }
  if (config.kafkaBrokers === null && config.kafka) {
    uses.push({ port: ports.kafka, wantedBy: 'Kafka', flag: '--kafka-port' });
    uses.push({ port: ports.kafkaController, wantedBy: "Kafka's controller", flag: '--kafka-port' });
  }
  if (config.redisUrl === null && config.valkey) {
    uses.push({ port: ports.valkey, wantedBy: 'Valkey', flag: '--valkey-port' });
  }
  return uses;
}

/** `null` when the part cannot be had on this machine; the person has been told. */
async function optional<Value>(start: () => Promise<Value>): Promise<Value | null> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof AbsentError) return null;
    throw error;
  }
}

/** Like Promise.all, but nothing is still starting when it throws. */
async function allOrFirstError<Values extends readonly Promise<unknown>[]>(
  promises: Values,
): Promise<{ -readonly [Index in keyof Values]: Awaited<Values[Index]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
