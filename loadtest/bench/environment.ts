/**
 * What every program of the bench stands on: a Postgres of its own (fsync on), a scratch folder, and the list of what was
 * started, which is stopped in the opposite order whatever happens, also on Ctrl-C.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';
import { runWithParts, type Stoppable, stopAll } from '../program.ts';
import { LoadError } from '../stack.ts';
import { repositoryDir } from '../stack-process.ts';
import type { Surroundings } from './side.ts';

export const resultsDir = join(repositoryDir, 'loadtest', 'results');

export interface Environment {
  readonly startedAt: string;
  readonly dir: string;
  readonly postgres: PostgresServer;
  readonly postgresPid: number;
  readonly surroundings: Surroundings;
  /** Remembers what has to be stopped, and returns it. */
  keep<Part extends { stop(): Promise<void> }>(part: Part): Part;
  /** Stops one of them now. */
  release(part: { stop(): Promise<void> }): Promise<void>;
  /** Does some work, and stops what it has started; its databases are dropped. */
  alone<Result>(work: (own: Environment) => Promise<Result>): Promise<Result>;
  /** Of those made by way of this one. Whoever uses them must have been stopped. */
  dropDatabases(): Promise<void>;
  /** Deletes the scratch folder, when everything has stopped. */
  remove(): void;
}

/**
 * Runs a program of the bench: reads its flags, brings up Postgres, does the work, stops everything and deletes the folder. A failure is
 * printed, and the exit code is 1.
 */
export function runBench<Arguments extends { readonly walletCount: number }>(
  readArguments: () => Arguments,
  work: (environment: Environment, args: Arguments) => Promise<void>,
): void {
  const run = async (started: Stoppable[]): Promise<Environment> => {
    const args = readArguments();
    const environment = await createEnvironment(args.walletCount, started);
    await work(environment, args);
    return environment;
  };
  runWithParts(run, (environment) => environment.remove());
}

export async function createEnvironment(
  walletCount: number,
  started: Stoppable[],
  log: (line: string) => void = console.log,
): Promise<Environment> {
  const startedAt = new Date().toISOString();
  const dir = join(repositoryDir, '.local', 'bench', `${startedAt.replace(/[-:]|\.\d+Z$/g, '')}-${process.pid}`);
  mkdirSync(dir, { recursive: true });
  const [port = 0] = await freePorts(1);
  const server = await startPostgres({ dataDir: join(dir, 'postgres'), port });
  started.push(server);
  return environmentOf({ startedAt, dir, walletCount, server, started, log });
}

interface Ground {
  readonly startedAt: string;
  readonly dir: string;
  readonly walletCount: number;
  readonly server: PostgresServer;
  readonly started: Stoppable[];
  readonly log: (line: string) => void;
}

function environmentOf(ground: Ground): Environment {
  const { startedAt, dir, walletCount, server, started, log } = ground;
  const databases: string[] = [];
  const release = async (part: { stop(): Promise<void> }): Promise<void> => {
    const at = started.indexOf(part);
    if (at >= 0) started.splice(at, 1);
    await part.stop();
  };
  return {
    startedAt,
    dir,
    postgres: server,
    postgresPid: server.pid ?? 0,
    surroundings: {
      dir,
      walletCount,
      log,
      async createDatabase(name) {
        const url = await createDatabase(server.url, name);
        databases.push(name);
        return url;
      },
    },
    keep(part) {
      started.push(part);
      return part;
    },
    release,
    async alone(work) {
      const own: Stoppable[] = [];
      // Ctrl-C in the middle stops them, too.
      const parts = { stop: () => stopAll(own) };
      started.push(parts);
      const inner = environmentOf({ ...ground, started: own });
      const result = await work(inner);
      await release(parts);
      await inner.dropDatabases();
      return result;
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
    async dropDatabases() {
      for (const name of databases.splice(0)) await dropDatabase(server.url, name);
    },
  };
}

async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql`drop database ${sql(name)} with (force)`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** @returns its address */
export async function createDatabase(serverUrl: string, name: string): Promise<string> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql`create database ${sql(name)}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.toString();
}

/** Version and the settings that decide what a commit costs. */
export async function describePostgres(server: PostgresServer): Promise<string> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ version: string; fsync: string; commit: string; wal: string }[]>`
      select current_setting('server_version') as version, current_setting('fsync') as fsync,
             current_setting('synchronous_commit') as commit, current_setting('max_wal_size') as wal`;
    return `${row?.version}, fsync ${row?.fsync}, synchronous_commit ${row?.commit}, max_wal_size ${row?.wal}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** A positive whole number of a flag. Throws a {@link LoadError} for anything else. */
export function wholeNumber(flag: string, text: string, max = 100_000_000): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= max) return value;
  throw new LoadError(`${flag} must be a positive whole number up to ${max}, not "${text}".`);
}

/** The members of a comma-separated flag. Throws a {@link LoadError} for one that is none of those allowed. */
export function listOf<Name extends string>(flag: string, text: string, allowed: readonly Name[]): Name[] {
  const names = text.split(',').map((part) => allowed.find((name) => name === part));
  if (names.includes(undefined)) throw new LoadError(`${flag} are any of ${allowed.join(', ')}, with commas.`);
  return names as Name[];
}

export function resultName(text: string): string {
  if (!/^[a-z0-9-]{1,40}$/.test(text)) throw new LoadError('--name is 1 to 40 of a-z, 0-9 and -.');
  return text;
}
