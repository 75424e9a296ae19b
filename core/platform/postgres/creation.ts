/**
 * Creating a row once per Idempotency-Key: the key stands in the row, under a unique constraint, beside a hash of the
 * request. So the outcome of a key is kept exactly as long as what it created, and survives everything the row does.
 */
import { sha256Hex } from '../digest/index.ts';

/** Whoever is no merchant: the operator. */
export const operatorId = '00000000-0000-0000-0000-000000000000';

/** What names a creation, and tells the same request from another. */
export interface CreationKey {
  /** The calling merchant, or {@link operatorId}. */
  readonly creator: string;
  readonly idempotencyKey: string;
  /** Lower-case hex. */
  readonly requestHash: string;
}

export type Creation<Row> =
  | { readonly type: 'created' | 'replayed'; readonly row: Row }
  | { readonly type: 'key_reused' }
  /** Another unique constraint stood in the way. */
  | { readonly type: 'conflict' };

/** SHA-256 over what the request asks, member by member in a fixed order. */
export function requestHash(parts: readonly unknown[]): string {
  return sha256Hex(JSON.stringify(parts));
}

/**
 * @param insert `insert … on conflict do nothing returning …`: no row when something stood in the way
 * @param find the row of the key; runs after `insert`, so it sees whoever was first
 */
export async function createOnce<Row extends { readonly request_hash: string }>(
  key: CreationKey,
  insert: () => Promise<readonly Row[]>,
  find: () => Promise<readonly Row[]>,
): Promise<Creation<Row>> {
  const [inserted] = await insert();
  if (inserted !== undefined) return { type: 'created', row: inserted };
  const [found] = await find();
  if (found === undefined) return { type: 'conflict' };
  return found.request_hash === key.requestHash ? { type: 'replayed', row: found } : { type: 'key_reused' };
}
