/**
 * What the relay carries: announcements (a row and its place in the ledger), in chunks of whole batches.
 *
 * Pure. Knows neither where chunks come from nor where they go.
 */
import type { PostedRow } from '@local-plus/actors';

/** What an event needs of a row of `transactions`; a row in memory has all of it. */
export interface Announceable {
  readonly facts: Pick<PostedRow['facts'], 'accountId' | 'programId' | 'requestId' | 'traceparent' | 'reference'>;
  readonly posting: Pick<
    PostedRow['posting'],
    'kind' | 'amount' | 'balanceDelta' | 'contraAccountId' | 'version' | 'balanceAfter' | 'heldAfter' | 'occurredAtMs'
  >;
}

export interface Announcement {
  readonly batch: number;
  readonly place: number;
  readonly row: Announceable;
}

/** All the rows of the batches after the cursor up to and with `lastBatch`, in order; maybe none. */
export interface Chunk {
  readonly rows: readonly Announcement[];
  readonly lastBatch: number;
}

/**
 * What a read of the table says, as a chunk.
 *
 * @param rows in order, all after batch `cursor`
 * @param full whether there may be more rows: the last batch is then taken for cut, and left to the next read
 * @param knownBatch a batch that was known to be committed before the read: what it does not show was only refusals
 */
export function chunkOfPage(rows: readonly Announcement[], full: boolean, cursor: number, knownBatch: number): Chunk {
  const last = rows.at(-1);
  if (!last) return { rows, lastBatch: Math.max(cursor, knownBatch) };
  if (!full) return { rows, lastBatch: Math.max(last.batch, knownBatch) };
  let whole = rows.length;
  while (whole > 0 && rows[whole - 1]?.batch === last.batch) whole--;
  if (whole === 0) throw new Error('a batch is larger than a page');
  return { rows: rows.slice(0, whole), lastBatch: last.batch - 1 };
}
