/**
 * Which process is meant: a pid alone is reused by the kernel, a pid with its start time is not.
 *
 * - P1 no process is ever signalled by a bare pid that was read from a file: its start time must be the recorded one.
 *
 * The start time comes from /proc on Linux (with the boot's id, since ticks count from the boot) and from `ps`
 * elsewhere.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { errnoOf } from './errors.ts';
import { readFileIfAny } from './files.ts';

export const processIdentity = z.strictObject({ pid: z.int().positive(), startTime: z.string().min(1) });
export type ProcessIdentity = z.infer<typeof processIdentity>;

const onLinux = process.platform === 'linux';
const bootId = onLinux ? (readFileIfAny('/proc/sys/kernel/random/boot_id') ?? 'unknown').trim() : '';

/** The identity of the process that has this pid now; `null` when there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const startTime = onLinux ? startTimeFromProc(pid) : startTimeFromPs(pid);
  return startTime === null ? null : { pid, startTime };
}

/** Whether exactly this process still runs: a recycled pid is another process. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Signals exactly this process (P1); false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

export function ownIdentity(): ProcessIdentity {
  const identity = identify(process.pid);
  if (identity === null) throw new Error('the running process must be able to find itself');
  return identity;
}

/**
 * The processes of the program `executable` (its file name) that work in the folder `dir`. Linux only; elsewhere
 * nothing is found. This is how servers are recognised that left no pid file, and the children of a killed one.
 */
export function processesIn(dir: string, executable: string): ProcessIdentity[] {
  if (!onLinux) return [];
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    if (linkOf(`/proc/${entry}/cwd`) !== dir) continue;
    if (basename(linkOf(`/proc/${entry}/exe`) ?? '') !== executable) continue;
    const identity = identify(Number(entry));
    if (identity !== null) found.push(identity);
  }
  return found;
}

/**
 * Where a link of /proc points, without the mark of a file that was deleted meanwhile. A process may end, or belong to
 * somebody else, between the listing and the look: then it is none of ours.
 */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path).replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}

/** proc(5): the second field is in parentheses and may contain anything; field 3 is the state, 22 the start. */
function startTimeFromProc(pid: number): string | null {
  let text: string | null;
  try {
    text = readFileIfAny(`/proc/${pid}/stat`);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return null;
    throw error;
  }
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTicks = fields[19];
  if (startTicks === undefined || state === 'Z' || state === 'X') return null;
  return `${bootId}:${startTicks}`;
}

function startTimeFromPs(pid: number): string | null {
  const ps = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  if (ps.error) throw ps.error;
  const line = ps.stdout.trim();
  if (ps.status !== 0 || line === '' || line.startsWith('Z')) return null;
  return line.replace(/^\S+\s+/, '');
}
