/**
 * Locks between runs: a file that names its holder. A holder that is gone (P1: pid and start time) holds nothing.
 *
 * The file appears whole (written beside, then linked), so nobody ever reads half a lock.
 */
import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, StartError } from './errors.ts';
import { readFileIfAny } from './files.ts';
import { isAlive, ownIdentity, type ProcessIdentity, processIdentity } from './identities.ts';

export interface HeldLock {
  readonly kind: 'held';
  release(): void;
}
export type LockOutcome = HeldLock | { readonly kind: 'taken'; readonly holder: ProcessIdentity };

/** Takes the lock, or tells who holds it. */
export function takeLock(path: string): LockOutcome {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.tmp`;
  writeFileSync(beside, `${JSON.stringify(ownIdentity())}\n`);
  try {
    // Each round either takes the lock, meets a living holder, or removes one dead holder.
    for (let round = 0; round < 10; round++) {
      try {
        linkSync(beside, path);
        return { kind: 'held', release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder !== null && isAlive(holder)) return { kind: 'taken', holder };
      removeStale(path);
    }
    throw new StartError(`The lock ${path} changes hands faster than it can be read; try again.`);
  } finally {
    rmSync(beside, { force: true });
  }
}

/** Waits for the lock while others do the same work; a {@link StartError} when that takes too long. */
export async function waitForLock(path: string, timeoutMs: number, signal?: AbortSignal): Promise<HeldLock> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const outcome = takeLock(path);
    if (outcome.kind === 'held') return outcome;
    if (performance.now() > deadlineMs) {
      throw new StartError(`Process ${outcome.holder.pid} has held ${path} for too long; end it and try again.`);
    }
    await delay(250);
  }
}

function readHolder(path: string): ProcessIdentity | null {
  const text = readFileIfAny(path);
  if (text === null) return null;
  try {
    return processIdentity.parse(JSON.parse(text));
  } catch {
    // Not a lock that we wrote: nobody can be holding it.
    return null;
  }
}

/** Moves a dead holder's file away. If another run was quicker and the file is alive by now, it is put back. */
function removeStale(path: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const holder = readHolder(aside);
  try {
    if (holder !== null && isAlive(holder)) linkSync(aside, path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
