/**
 * Ends a step that hangs, with everything it started, each process by its own pid.
 *
 * Tests start servers in process groups of their own, so the step's group is not enough: the tree is read by parent
 * pid before anything is signalled, because an orphan can no longer be told from a stranger. A recycled pid is never
 * signalled (P1 of deploy/local/identities.ts).
 */
import { spawnSync } from 'node:child_process';
import { identify, isAlive, type ProcessIdentity, signalProcess } from '../local/identities.ts';
import { waitUntil } from '../local/waits.ts';
import { limits } from './limits.ts';

/** The pids below `rootPid` in a list of `pid ppid` lines, parents before their children. */
export function descendants(rootPid: number, lines: string): number[] {
  const children = new Map<number, number[]>();
  for (const line of lines.split('\n')) {
    const [pid, parentPid] = line.trim().split(/\s+/).map(Number);
    if (pid === undefined || parentPid === undefined) continue;
    children.set(parentPid, [...(children.get(parentPid) ?? []), pid]);
  }
  const found: number[] = [];
  // Grows while it is walked; a pid is one parent's child only, so the walk ends.
  const queue = [rootPid];
  for (const pid of queue) {
    const below = children.get(pid) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

/** Asks the tree of `rootPid` to end, and insists after the grace. Resolves when none of it is left. */
export async function endTree(rootPid: number): Promise<void> {
  const ps = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  // Without `ps` (a very small image) the root alone is ended.
  const below = ps.error === undefined ? descendants(rootPid, ps.stdout) : [];
  const tree = [rootPid, ...below].map(identify).filter((identity): identity is ProcessIdentity => identity !== null);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const identity of tree) signalProcess(identity, signal);
    const ended = await waitUntil(() => !tree.some(isAlive), {
      timeoutMs: limits.stopMs,
      everyMs: limits.stopPollMs,
    });
    if (ended) return;
  }
  throw new Error(`processes ${tree.filter(isAlive).map((identity) => identity.pid)} did not end after SIGKILL`);
}
