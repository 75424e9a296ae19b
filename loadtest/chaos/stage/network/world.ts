/**
 * A network namespace for a whole program, so that nothing of its network is seen or reached from outside, nothing outside is
 * touched, and the kernel takes everything back with its last process. Whether there can be one is found out by making one.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { limits } from '../../limits.ts';

/** What a command begins with that shall run in a world of its own; it becomes that command. */
export interface World {
  readonly within: readonly string[];
}

/** As root; else as this user, who is then allowed everything in there. */
const worlds: readonly World[] = [
  { within: ['unshare', '--net', '--'] },
  { within: ['unshare', '--user', '--map-current-user', '--keep-caps', '--net', '--'] },
];

const TRIAL = join(import.meta.dirname, 'trial.ts');

/** `missing`: why there can be none. */
export async function findWorld(): Promise<World | { readonly missing: string }> {
  let missing = '';
  for (const world of worlds) {
    const [command = '', ...args] = [...world.within, process.execPath, TRIAL];
    try {
      await promisify(execFile)(command, args, { timeout: limits.trialMs });
      return world;
    } catch (error) {
      missing ||= `network namespaces cannot be made here (${reasonOf(error)})`;
    }
  }
  return { missing };
}

/**
 * Runs a program of this suite there, to its end. It hears of a signal, and of this process's end, by losing its channel to
 * this process.
 *
 * @returns the exit code; null: it was killed
 */
export async function runInside(world: World, entry: string, args: readonly string[], signal: AbortSignal) {
  const [command = '', ...before] = [...world.within, process.execPath, entry];
  const child = spawn(command, [...before, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const leave = (): void => {
    if (child.connected) child.disconnect();
  };
  signal.addEventListener('abort', leave, { once: true });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', leave);
  return exitCode;
}

/** The last thing that was said, or the error's own words. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
  return said || (error instanceof Error ? error.message : String(error));
}
