/**
 * A stack of its own for one measurement: Postgres, core and the edge on workerd, on free ports, in one folder. No Kafka
 * (events wait in the ledger), no Valkey. What `npm start` runs is left alone, and may run beside it.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { edgeObjects, freePorts, type Server, startCore, startEdge, startPostgres } from '@local-plus/deploy';
import { stopAll } from './program.ts';
import { repositoryDir } from './stack-process.ts';

export interface SmallStack {
  readonly edge: Server;
  readonly core: Server;
  readonly edgeUrl: string;
  readonly adminToken: string;
  /** Where the parts keep their data and their logs; deleted by `remove`. */
  readonly dir: string;
  /** Ends the parts, the last one first. */
  stop(): Promise<void>;
  remove(): void;
}

export interface SmallStackOptions {
  /** Of the folder below `.local/`. */
  readonly name: string;
  /** Of the edge, beside what it needs to find core. */
  readonly bindings?: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
}

/** Starts it; what had been started is ended when a part does not come up. */
export async function startSmallStack({ name, bindings = {}, log }: SmallStackOptions): Promise<SmallStack> {
  const dir = runDirectory(name);
  const [postgresPort = 0, corePort = 0, edgePort = 0] = await freePorts(3);
  const shared = { runDir: join(dir, 'run'), logDir: join(dir, 'logs') };
  const signingKey = `k1:${randomBytes(32).toString('base64url')}`;
  const adminToken = `lp_admin_${randomBytes(32).toString('base64url')}`;
  const started: Server[] = [];
  const stop = async (): Promise<void> => {
    await stopAll(started);
  };
  try {
    log(`Starting Postgres, core and the edge in ${dir} …`);
    const postgres = await startPostgres({ ...shared, dataDir: join(dir, 'postgres'), port: postgresPort });
    started.push(postgres);
    const core = await startCore({
      ...shared,
      port: corePort,
      databaseUrl: postgres.url,
      kafkaBrokers: [],
      redisUrl: null,
      signingKeys: [signingKey],
      adminToken,
      giftcardCodeKeys: [`k1:${randomBytes(32).toString('base64url')}`],
      customerKeys: [`k1:${randomBytes(32).toString('base64url')}`],
      environment: process.env,
      roles: ['api'],
      logLevel: 'warn',
    });
    started.push(core);
    const edge = await startEdge({
      ...shared,
      port: edgePort,
      buildDir: join(dir, 'edge'),
      bindings: { ORIGIN_URL: core.url, SIGNING_KEYS: signingKey, ENVIRONMENT: 'local', ...bindings },
      durableObjects: edgeObjects,
    });
    started.push(edge);
    const remove = (): void => rmSync(dir, { recursive: true, force: true });
    return { edge, core, edgeUrl: edge.url, adminToken, dir, stop, remove };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A new folder below `.local/`, named by the time of the run. */
export function runDirectory(name: string): string {
  const dir = join(repositoryDir, '.local', name, new Date().toISOString().replace(/[-:]|Z$/g, ''));
  mkdirSync(dir, { recursive: true });
  return dir;
}
