/**
 * What a job is and becomes. Pure.
 */
import { hash } from 'node:crypto';
import { type GiftcardBatchId, type GiftcardId, type giftcardBatches, uuidV7 } from '@local-plus/contracts';

type Status = giftcardBatches.BatchStatus;

const jobEvents = ['begin', 'cancel', 'complete', 'refuse', 'settle'] as const;
/**
 * `begin`: a process works on it. `complete`: every card was tried, and some are there. `refuse`: all cards of a chunk were
 * refused, as the rest would be. `settle`: nothing of it is under way any more.
 */
export type JobEvent = (typeof jobEvents)[number];

/** What is not in the table is refused. */
export const transitions: Readonly<Record<Status, Readonly<Partial<Record<JobEvent, Status>>>>> = {
  queued: { begin: 'running', cancel: 'cancelled' },
  running: { begin: 'running', cancel: 'cancelling', complete: 'done', refuse: 'failed' },
  cancelling: { begin: 'cancelling', complete: 'done', refuse: 'failed', settle: 'cancelled' },
  cancelled: {},
  failed: {},
  done: {},
};

export const openStatuses = (Object.keys(transitions) as Status[]).filter(
  (status) => Object.keys(transitions[status]).length > 0,
);

/** The statuses in which an event is allowed. */
export function statusesBefore(event: JobEvent): readonly Status[] {
  return (Object.keys(transitions) as Status[]).filter((status) => transitions[status][event] !== undefined);
}

/**
 * The card at a place of a job, always the same: so that whoever goes on with a chunk, after whatever death, means the same
 * cards. A UUIDv7 of the job's time; the rest comes of the job's id and the place, and is no secret.
 */
export function cardIdOf(batchId: GiftcardBatchId, createdAtMs: number, place: number): GiftcardId {
  const random = hash('sha256', `gift-card ${batchId} ${place}`, 'buffer');
  return uuidV7<GiftcardId>(createdAtMs, random);
}
