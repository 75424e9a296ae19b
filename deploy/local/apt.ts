/**
 * Debian packages, where we are root and apt-get is there. No package that starts a system service is ever asked for.
 */
import { join } from 'node:path';
import { runCommand } from './commands.ts';
import { limits } from './limits.ts';

export interface AptOptions {
  readonly logDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** `unavailable`: not root, or no apt-get here. `failed`: apt said no; its words are in apt.log. */
export type AptOutcome = 'installed' | 'failed' | 'unavailable';

let queue: Promise<unknown> = Promise.resolve();

/** Installs packages without their recommendations. Calls of one process take turns, as apt's own lock wants it. */
export function installPackages(names: readonly string[], options: AptOptions): Promise<AptOutcome> {
  const turn = queue.then(() => install(names, options));
  queue = turn.catch(() => undefined);
  return turn;
}

async function install(names: readonly string[], options: AptOptions): Promise<AptOutcome> {
  if (process.getuid?.() !== 0) return 'unavailable';
  const run = (args: readonly string[]): ReturnType<typeof runCommand> =>
    runCommand('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      timeoutMs: limits.downloadMs,
      logFile: join(options.logDir, 'apt.log'),
      signal: options.signal,
    });
  const version = await runCommand('apt-get', ['--version'], {
    timeoutMs: limits.killedMs,
    logFile: join(options.logDir, 'apt.log'),
  });
  if (version.kind !== 'done') return 'unavailable';
  const packages = ['install', '-y', '--no-install-recommends', ...names];
  // Package lists may be there and fresh; only when that does not do are they fetched.
  if ((await run(packages)).kind === 'done') return 'installed';
  await run(['update']);
  return (await run(packages)).kind === 'done' ? 'installed' : 'failed';
}
