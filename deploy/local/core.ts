/**
 * Core as a child process: the migration first, to its end; then `core/main.ts` on the Node that runs the stack.
 * Configuration goes by environment, as in production.
 */
import { join } from 'node:path';
import { runCommand } from './commands.ts';
import { StartError } from './errors.ts';
import { limits } from './limits.ts';
import { repositoryDir } from './places.ts';
import { localHost } from './ports.ts';
import { answersHttp, createServer, localHttp, type Server, type ServerOptions } from './server.ts';

export interface CoreOptions extends ServerOptions {
  /** Where it listens; this machine's loopback when absent. */
  readonly host?: string;
  /** What runs it, with arguments, where it has a network of its own: `nsenter …`. Must become the process, not its parent. */
  readonly within?: readonly string[];
  readonly databaseUrl: string;
  /** The ledger's databases beside that one, by their ids; none where it is the only one. */
  readonly furtherDatabases?: ReadonlyMap<number, string>;
  /** Which of them this process commits to; 1 is `databaseUrl`. */
  readonly databaseId?: number;
  /** Empty: no broker, events wait in the ledger. */
  readonly kafkaBrokers: readonly string[];
  /** `null`: no cache between processes. */
  readonly redisUrl: string | null;
  /** `kid:base64url` each; any of them is accepted. */
  readonly signingKeys: readonly string[];
  readonly adminToken: string;
  /** As `signingKeys`, for the codes of gift cards; none: it issues no codes. */
  readonly giftcardCodeKeys?: readonly string[];
  /** As `signingKeys`, of 32 bytes, for customers' contact details; none: it keeps no customers. */
  readonly customerKeys?: readonly string[];
  /** What the process inherits besides the contract (PATH, proxies, …). */
  readonly environment: NodeJS.ProcessEnv;
  /** Of several processes each has one of its own; its log and pid file are called after it. */
  readonly name?: string;
  readonly writerId?: number;
  readonly roles?: readonly string[];
  readonly logLevel?: string;
  /** The program; `core/main.ts` of this checkout when absent. */
  readonly entry?: string;
  /** The migration; `core/migrate.ts` of this checkout when absent. */
  readonly migrateEntry?: string;
}

/** The whole contract between the stack and core. */
export function coreEnvironment(options: CoreOptions): NodeJS.ProcessEnv {
  return {
    ...options.environment,
    CORE_HOST: options.host ?? localHost,
    CORE_PORT: String(options.port),
    DATABASE_URL: options.databaseUrl,
    LEDGER_DATABASES: [...(options.furtherDatabases ?? [])].map(([id, url]) => `${id}=${url}`).join(','),
    LEDGER_DATABASE_ID: String(options.databaseId ?? 1),
    KAFKA_BROKERS: options.kafkaBrokers.join(','),
    REDIS_URL: options.redisUrl ?? '',
    EDGE_SIGNING_KEYS: options.signingKeys.join(','),
    ADMIN_TOKEN: options.adminToken,
    GIFTCARD_CODE_KEYS: (options.giftcardCodeKeys ?? []).join(','),
    CUSTOMER_KEYS: (options.customerKeys ?? []).join(','),
    WRITER_ID: String(options.writerId ?? 1),
    ROLES: (options.roles ?? ['api', 'relay']).join(','),
    LOG_LEVEL: options.logLevel ?? 'info',
  };
}

/** The server, not yet started; the schema has to be there. */
export function coreServer(options: CoreOptions): Server {
  const url = localHttp(options.port, options.host);
  return createServer({
    name: options.name ?? 'core',
    title: 'Core',
    url: () => url,
    portFlag: '--core-port',
    options,
    stopSignal: 'SIGTERM',
    stopGraceMs: limits.coreStopMs,
    readyMs: limits.coreReadyMs,
    prepare: async () => {
      const program = [process.execPath, options.entry ?? join(repositoryDir, 'core', 'main.ts')];
      const [command = '', ...args] = [...(options.within ?? []), ...program];
      return { command, args, cwd: repositoryDir, env: coreEnvironment(options) };
    },
    isReady: () => answersHttp(`${url}/readyz`, (status) => status === 200),
  });
}

/** Migrates the database, then starts core. */
export async function startCore(options: CoreOptions): Promise<Server> {
  await migrate(options);
  const server = coreServer(options);
  await server.start();
  return server;
}

/** Brings the schema up to date; a {@link StartError} with the end of its output when that fails. */
export async function migrate(options: CoreOptions): Promise<void> {
  const logFile = join(options.logDir, 'migrate.log');
  const outcome = await runCommand(
    process.execPath,
    [options.migrateEntry ?? join(repositoryDir, 'core', 'migrate.ts')],
    { timeoutMs: limits.migrateMs, logFile, cwd: repositoryDir, env: coreEnvironment(options), signal: options.signal },
  );
  if (outcome.kind === 'done') return;
  const why = outcome.kind === 'failed' ? `${outcome.exit}, see ${logFile}:\n${outcome.tail}` : 'Node is gone';
  throw new StartError(`The database could not be migrated (${why}).`);
}
