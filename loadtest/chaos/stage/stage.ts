/**
 * The stage of a chaos run: Postgres, Kafka, three processes of core behind one plain TCP address, the edge on workerd, each a
 * child of this process in one folder, with a proxy in every link between them.
 *
 *     clients → edge → [edge-core] → address → core 1, 2, 3 → [core-N-postgres] → Postgres
 *                                               │  ↕ [core-N-core]
 *                                               └→ [core-kafka] → Kafka
 *
 * Where there are network namespaces each process of core has one of its own, and proxies listen where it reaches them.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  coreServer,
  createBalancer,
  edgeObjects,
  edgeServer,
  freePorts,
  kafkaServer,
  migrate,
  postgresServer,
  type Server,
} from '@local-plus/deploy';
import { runDirectory } from '../../small-stack.ts';
import { limits } from '../limits.ts';
import { type Clocks, findClocks } from './clock.ts';
import { diskDirectory, mountSmallDisk, type SmallDisk } from './disk.ts';
import { Links } from './links.ts';
import { type Network, onLoopback, type Places } from './network/network.ts';
import { Observer } from './observer.ts';
import { answers, Part } from './part.ts';

export interface Stage {
  readonly dir: string;
  readonly edgeUrl: string;
  readonly adminToken: string;
  /** Past every proxy. */
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  /** By number, from 1; the number is the writer's, too. */
  core(number: number): Part;
  readonly cores: readonly Part[];
  /** The plain address in front of core. */
  readonly corePort: number;
  readonly edge: Part;
  readonly postgres: Part;
  readonly kafka: Part;
  readonly links: Links;
  readonly observer: Observer;
  /** Who owned which shard before the first process began, by shard. */
  readonly firstOwners: readonly number[];
  /** What a fault needs of the machine, or why it is not to be had. */
  readonly disk: SmallDisk | Missing;
  readonly clocks: Clocks | Missing;
  readonly namespaces: Network | Missing;
  /** Ends everything, the last one first. */
  stop(): Promise<void>;
  remove(): void;
}

export interface Missing {
  readonly missing: string;
}

export interface StageOptions {
  readonly log: (line: string) => void;
  /** A disk that can run full is mounted. */
  readonly smallDisk: boolean;
  /** Core's clocks can be moved. */
  readonly clocks: boolean;
  /** For the processes of core; its owner closes it after the stage. */
  readonly namespaces: Network | Missing;
  /** A module that every process of core loads before its own. */
  readonly coreImport: string | null;
}

export const notWanted: Missing = { missing: 'not wanted in this run' };

/** Starts it; what had been started is ended when a part does not come up. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const opening = new Opening(options);
  try {
    return await opening.open();
  } catch (error) {
    await opening.stop();
    throw error;
  }
}

/** A stage on its way up. What has to be ended stands in `#started`, in the order of its start. */
class Opening {
  readonly #options: StageOptions;
  readonly #places: Places;
  readonly #dir = runDirectory('chaos');
  readonly #shared = { runDir: join(this.#dir, 'run'), logDir: join(this.#dir, 'logs') };
  readonly #signingKey = `k1:${randomBytes(32).toString('base64url')}`;
  readonly #adminToken = `lp_admin_${randomBytes(32).toString('base64url')}`;
  readonly #links = new Links();
  readonly #started: (() => Promise<void> | void)[] = [];

  constructor(options: StageOptions) {
    this.#options = options;
    this.#places = 'missing' in options.namespaces ? onLoopback : options.namespaces;
  }

  async open(): Promise<Stage> {
    const { log } = this.#options;
    const dir = this.#dir;
    mkdirSync(this.#shared.logDir, { recursive: true });
    log(`Starting Postgres, Kafka, ${limits.cores} processes of core and the edge in ${dir} …`);
    this.#later(() => this.#links.close());
    const disk = this.#options.smallDisk ? mountSmallDisk(diskDirectory(dir)) : notWanted;
    if (!('missing' in disk)) this.#later(() => disk.remove());
    const clocks = this.#options.clocks ? await findClocks(dir) : notWanted;

    const [postgresPort = 0, kafkaPort = 0, controllerPort = 0, edgePort = 0, ...corePorts] = await freePorts(
      4 + limits.cores,
    );
    const dataDir = 'missing' in disk ? join(dir, 'postgres') : join(disk.dir, 'postgres');
    const { dataHost } = this.#places;
    const database = postgresServer({ ...this.#shared, dataDir, port: postgresPort });
    const kafkaLink = await this.#links.open('core-kafka', kafkaPort, { host: dataHost });
    const advertised = { advertisedHost: dataHost, advertisedPort: kafkaLink.port };
    const ports = { port: kafkaPort, controllerPort, ...advertised };
    const broker = kafkaServer({ ...this.#shared, dataDir: join(dir, 'kafka'), ...ports });
    const running = async (): Promise<boolean> => true;
    const [postgres, kafka] = await Promise.all([this.#up(database, running), this.#up(broker, running)]);

    const observer = new Observer(database.url);
    this.#later(() => observer.close());
    const brokers = [`${dataHost}:${kafkaLink.port}`];
    const { cores, firstOwners } = await this.#cores(database.url, brokers, corePorts, clocks, observer);
    const balancer = createBalancer(
      0,
      corePorts.map((port, index) => ({ host: this.#places.core(index + 1).host, port })),
    );
    await balancer.start();
    this.#later(() => balancer.stop());
    const edge = await this.#edge(edgePort, balancer.port);
    return {
      dir,
      edgeUrl: edge.server.url,
      adminToken: this.#adminToken,
      databaseUrl: database.url,
      brokers,
      cores,
      core: (number) => cores[number - 1] as Part,
      corePort: balancer.port,
      edge,
      postgres,
      kafka,
      links: this.#links,
      observer,
      firstOwners,
      disk,
      clocks,
      namespaces: this.#options.namespaces,
      stop: () => this.stop(),
      remove: () => rmSync(dir, { recursive: true, force: true }),
    };
  }

  async stop(): Promise<void> {
    for (let end = this.#started.pop(); end !== undefined; end = this.#started.pop()) await end();
  }

  #later(end: () => Promise<void> | void): void {
    this.#started.push(end);
  }

  async #up(server: Server, isReady: () => Promise<boolean>): Promise<Part> {
    await server.start();
    const part = new Part(server, isReady, (line) => this.#options.log(`  ${line.split('\n')[0]}`));
    this.#later(() => part.stop());
    return part;
  }

  /** Migrated first; the suite's log of moves is there before the first process is. */
  async #cores(
    databaseUrl: string,
    brokers: readonly string[],
    ports: readonly number[],
    clocks: Clocks | Missing,
    observer: Observer,
  ): Promise<{ cores: Part[]; firstOwners: number[] }> {
    const common = {
      ...this.#shared,
      kafkaBrokers: brokers,
      redisUrl: null,
      signingKeys: [this.#signingKey],
      adminToken: this.#adminToken,
    };
    await migrate({ ...common, port: ports[0] ?? 0, databaseUrl, environment: process.env });
    const firstOwners = await observer.logMoves();
    const postgresPort = Number(new URL(databaseUrl).port);
    const starting = ports.map(async (port, index) => {
      const number = index + 1;
      const { dataHost } = this.#places;
      const peerHost = this.#places.peerHost(number);
      const { host, within } = this.#places.core(number);
      const toPostgres = await this.#links.open(`core-${number}-postgres`, postgresPort, { host: dataHost });
      const toCore = await this.#links.open(`core-${number}-core`, port, { host: peerHost, targetHost: host });
      const server = coreServer({
        ...common,
        name: `core-${number}`,
        host,
        within,
        port,
        writerId: number,
        databaseUrl: at(databaseUrl, dataHost, toPostgres.port),
        environment: {
          ...process.env,
          CORE_ADDRESS: `${peerHost}:${toCore.port}`,
          ...('missing' in clocks ? {} : clocks.environment(number)),
          ...(this.#options.coreImport === null ? {} : { NODE_OPTIONS: `--import ${this.#options.coreImport}` }),
        },
      });
      return this.#up(server, () => answers(`${server.url}/readyz`));
    });
    await Promise.allSettled(starting);
    return { cores: await Promise.all(starting), firstOwners };
  }

  async #edge(port: number, corePort: number): Promise<Part> {
    const link = await this.#links.open('edge-core', corePort);
    const server = edgeServer({
      ...this.#shared,
      port,
      buildDir: join(this.#dir, 'edge'),
      bindings: {
        ORIGIN_URL: `http://127.0.0.1:${link.port}`,
        SIGNING_KEYS: this.#signingKey,
        ENVIRONMENT: 'local',
      },
      durableObjects: edgeObjects,
    });
    return this.#up(server, () => answers(`${server.url}/healthz`));
  }
}

function at(url: string, host: string, port: number): string {
  const moved = new URL(url);
  moved.hostname = host;
  moved.port = String(port);
  return moved.toString();
}
