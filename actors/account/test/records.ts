/** What a store gives back of an account: rows without what only the write needed, and where to begin. */
import { detailText } from '../chain.ts';
import type { AccountRecord, Posting } from '../domain.ts';

/** A posting that was written and read again. */
export function storedPosting(posting: Posting): Posting {
  const text = detailText(posting.detail);
  return { ...posting, detail: text === null ? null : JSON.parse(text), due: null, checkpoint: null };
}

/** What is read when the account's newest row is that of `version`. */
export function recordAt(postings: readonly Posting[], version: number): AccountRecord {
  const newest = postings[version - 1];
  if (newest === undefined) return { base: null, tail: [], hash: null };
  const from = newest.baseVersion ?? version;
  const tail = postings.slice(from, version).map(storedPosting);
  const row = postings[from - 1];
  if (row === undefined) return { base: null, tail, hash: null };
  const head = { version: from, balance: row.balanceAfter, held: row.heldAfter, lastAtMs: row.occurredAtMs };
  return { base: row.checkpoint ?? head, tail, hash: null };
}
