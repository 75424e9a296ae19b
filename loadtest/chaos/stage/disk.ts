/**
 * A small disk for Postgres, which can run full: a tmpfs of the suite's own. Needs Linux, and the right to mount.
 *
 * A killed process loses nothing there that it would keep on a disk: what it has written is the kernel's in both cases.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../limits.ts';

export interface SmallDisk {
  readonly dir: string;
  /** Takes all the room that is left. */
  fill(): void;
  free(): void;
  remove(): void;
}

/** Of a run's folder. */
export function diskDirectory(runDir: string): string {
  return join(runDir, 'disk');
}

const PIECE_BYTES = 1_024 * 1_024;

/** `missing`: why there can be none. */
export function mountSmallDisk(dir: string): SmallDisk | { readonly missing: string } {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${limits.diskBytes},mode=0755`, 'tmpfs', dir], { stdio: 'pipe' });
  } catch {
    return { missing: 'a disk of its own cannot be mounted here' };
  }
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      const file = openSync(ballast, 'w');
      const piece = Buffer.alloc(PIECE_BYTES);
      try {
        while (statfsSync(dir).bavail > 0) writeSync(file, piece);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove: () => unmount(dir),
  };
}

/**
 * Takes away the disk of a killed run: mounted, and the Postgres whose data are on it has ended without saying so. A disk on
 * which none has begun yet may be that of a run that starts just now, and stays. Returns whether there was one.
 */
export function removeAbandonedDisk(dir: string): boolean {
  const pidFile = join(dir, 'postgres', 'postmaster.pid');
  if (!isMounted(dir) || !existsSync(pidFile)) return false;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (existsSync(`/proc/${pid}`)) return false;
  unmount(dir);
  return true;
}

function isMounted(dir: string): boolean {
  const mounts = '/proc/self/mounts';
  return existsSync(mounts) && readFileSync(mounts, 'utf8').includes(` ${dir} tmpfs `);
}

/** Lazily: whoever still has a file open there lets go of it in its own time. */
function unmount(dir: string): void {
  execFileSync('umount', ['-l', dir], { stdio: 'pipe' });
}
