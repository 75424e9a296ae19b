/**
 * Shards: which of 256 an account belongs to, and what the operator is told of who serialises which. A shard moves between
 * processes as a whole; an account never changes its shard.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import type { AccountId } from './ids.ts';
import { positionBounds } from './ids.ts';

export const shardCount = 256;

/** The ledger's databases are numbered; the first one also holds all that is not the ledger. */
export const firstDatabase = 1;
export const databasesMax = 16;

/** The owner of what no process has owned yet, where there are several databases: no process is this writer then. */
export const nobody = 0;

/**
 * 0 … 255: the last byte of the id, which is random in every id that is given to an account. The same as SQL's
 * `get_byte(uuid_send(id), 15)`.
 */
export function shardOf(accountId: AccountId): number {
  return (nibble(accountId.charCodeAt(34)) << 4) | nibble(accountId.charCodeAt(35));
}

/** Of a lower-case hex digit. */
function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

const writerId = z.int().min(0).max(positionBounds.writerIdMax);
const databaseId = z.int().min(firstDatabase).max(databasesMax);

export const member = z.strictObject({
  writer_id: writerId,
  state: z
    .enum(['serving', 'draining', 'silent', 'absent'])
    .describe(
      '`silent`: not heard of; its shards go to others of its database. `absent`: no process runs under this writer.',
    ),
  address: z.string().nullable().describe('Where the other processes reach it.'),
  database_id: databaseId.describe('Of the ledger’s databases the one that it writes.'),
  shards: z.int().describe('How many shards it owns.'),
  epoch: z.int().describe('Raised by every start, and by whoever takes its shards over.'),
  batch: z.int().describe('Committed batches.'),
  started_at: fields.timestamp.nullable(),
  seen_at: fields.timestamp.nullable(),
});

export const overview = z.strictObject({
  answered_by: writerId.describe('Whose view this is.'),
  members: z.array(member),
  shards: z.array(
    z.strictObject({
      id: z.int(),
      writer_id: writerId,
      database_id: databaseId.describe('Where it lives, for ever.'),
      version: z.int().describe('Raised by every move.'),
    }),
  ),
});
export type Overview = z.infer<typeof overview>;

export const drain = z.strictObject({
  writer_id: writerId,
  drain: z
    .boolean()
    .default(true)
    .describe(
      'Whether it hands its shards over and takes no more; false: it gets its share again. The wish ends with the process that runs now: the next one takes its share.',
    ),
});

export const drained = z.strictObject({ writer_id: writerId, drain: z.boolean() });
