/** A batch on its way to the store: what is known of it, and what its rows became. */
import { transactionId } from '@local-plus/contracts';
import { type Batch, type PostedRow, StoreFailure } from '../ports.ts';
import type { Rows } from './assembler.ts';
import type { Posted } from './outcome.ts';

export interface Flight {
  readonly batch: Batch;
  readonly rows: Rows;
  readonly sentMs: number;
  /** Whether it was applied, or why that is not known; null: in the air. */
  reply: boolean | Error | null;
}

export function postedAt(writerId: number, batch: Batch, place: number): Posted {
  const row = batch.posted[place] as PostedRow;
  return { row, transactionId: transactionId(row.posting.occurredAtMs, { writerId, batch: batch.batch, place }) };
}

export function isRefused(reply: unknown): reply is StoreFailure {
  return reply instanceof StoreFailure && reply.outcome === 'refused';
}
