/**
 * The chain of a trail, computed again from what stands there, and not through what wrote it. Pure.
 *
 * It shows what was changed, removed, swapped or put in between. The newest entries can be cut off unseen, and who can
 * write the table can chain everything anew: against both helps a hash that somebody else keeps.
 */
import { createHash } from 'node:crypto';
import type { audit } from '@local-plus/contracts';
import type { EntryRow } from './store.ts';

/** How far a walk has come: everything up to here is as it was written. */
export interface Reached {
  readonly place: number;
  /** null: nothing was walked, and the chain begins with the trail's id. */
  readonly hash: string | null;
}

export interface Walk {
  readonly reached: Reached;
  readonly broken: audit.Verification['broken'];
}

/** @param rows in the order of places, behind what was reached */
export function walk(trail: string, from: Reached, rows: readonly EntryRow[]): Walk {
  let reached = from;
  for (const { place, entry, hash } of rows) {
    if (place !== reached.place + 1) return { reached, broken: { place: reached.place + 1, fault: 'missing' } };
    if (link(reached.hash ?? trail.replaceAll('-', ''), entry) !== hash) {
      return { reached, broken: { place, fault: 'changed' } };
    }
    reached = { place, hash };
  }
  return { reached, broken: null };
}

function link(beforeHex: string, entry: string): string {
  return createHash('sha256').update(Buffer.from(beforeHex, 'hex')).update(entry, 'utf8').digest('hex');
}
