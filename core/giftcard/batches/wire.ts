/** Jobs as they stand on the wire, in events and in the audit trail. Pure. */
import { announcedEvents, type giftcardBatches } from '@local-plus/contracts';
import { newEvent } from '../../outbox/index.ts';
import type { JobEvent } from './domain.ts';
import type { BatchRow } from './store.ts';

export function batchJson(row: BatchRow): giftcardBatches.Batch {
  const { id, program_id, catalog_item_id, amount, expires_on, activate, status, issued, failed, failure, file } = row;
  return {
    id,
    program_id,
    catalog_item_id,
    count: row.cards_count,
    amount,
    expires_on,
    pin: row.has_pin,
    activate,
    status,
    issued,
    failed,
    failure,
    file,
    file_expires_at: row.file_expires_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
  };
}

/** As it was when it was created: what a replay of its creation answers with. */
export function newBatchJson(row: BatchRow): giftcardBatches.Batch {
  const untouched = { status: 'queued', issued: 0, failed: 0, failure: null, file: 'pending' } as const;
  return batchJson({ ...row, ...untouched, file_expires_at: null, ended_at: null });
}

const endStatuses = { complete: 'done', refuse: 'failed', settle: 'cancelled', cancel: 'cancelled' } as const;

/** The text for the outbox: the job is at its end. */
export function endedEvent(row: BatchRow, event: Exclude<JobEvent, 'begin'>, nowMs: number): string {
  const { id, program_id, merchant_id, issued, failed, request_id, traceparent } = row;
  return newEvent(
    {
      topic: announcedEvents['giftcard.batch.ended'].topic,
      aggregateType: 'giftcard_batch',
      aggregateId: id,
      type: 'giftcard.batch.ended',
      schemaVersion: 1,
      requestId: request_id,
      traceparent,
      data: { id, program_id, merchant_id, status: endStatuses[event], issued, failed },
    },
    nowMs,
  );
}
