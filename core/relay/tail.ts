/**
 * The newest committed batches, in memory, bounded. The rows are the ledger's own objects, not copies.
 *
 * T1 What it holds is dense in batch numbers and ends with the newest batch offered.
 * T2 Past its bounds it drops the oldest; whoever follows it finds a gap, and reads the table instead.
 */
import type { CommittedBatch } from '@local-plus/actors';
import type { Announcement, Chunk } from './domain.ts';

export interface TailBounds {
  readonly memoryRowsMax: number;
  readonly memoryBatchesMax: number;
}

/** Dropped places at the front that are kept before the array is moved up. */
const SLACK = 1_024;

export class Tail {
  readonly #bounds: TailBounds;
  #batches: CommittedBatch[] = [];
  /** The index of the oldest batch held. */
  #first = 0;
  #rows = 0;
  /** The newest batch ever offered; 0 when there was none. */
  #newest = 0;
  /** Rows that were dropped unseen. */
  rowsDroppedTotal = 0;

  constructor(bounds: TailBounds) {
    this.#bounds = bounds;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Constant time, but for the batches that make room. A batch that is not newer is known already. */
  offer(batch: CommittedBatch): void {
    if (batch.batch <= this.#newest) return;
    if (batch.batch !== this.#newest + 1) this.#drop(this.#newest);
    this.#newest = batch.batch;
    this.#batches.push(batch);
    this.#rows += batch.posted.length;
    const { memoryRowsMax, memoryBatchesMax } = this.#bounds;
    while (this.#rows > memoryRowsMax || this.#batches.length - this.#first > memoryBatchesMax) {
      this.rowsDroppedTotal += this.#batches[this.#first]?.posted.length ?? 0;
      this.#shift();
    }
  }

  /** Whole batches right after `cursor`, ending once `rowsMin` rows are reached; null when they are not all here. */
  after(cursor: number, rowsMin: number): Chunk | null {
    const oldest = this.#batches[this.#first]?.batch;
    if (oldest === undefined || cursor + 1 < oldest || cursor >= this.#newest) return null;
    const rows: Announcement[] = [];
    let lastBatch = cursor;
    for (let index = this.#first + (cursor + 1 - oldest); index < this.#batches.length; index++) {
      const { batch, posted } = this.#batches[index] as CommittedBatch;
      for (let place = 0; place < posted.length; place++) {
        rows.push({ batch, place, row: posted[place] as CommittedBatch['posted'][number] });
      }
      lastBatch = batch;
      if (rows.length >= rowsMin) break;
    }
    return { rows, lastBatch };
  }

  /** Lets go of what is published. */
  forget(upTo: number): void {
    this.#drop(upTo);
  }

  #drop(upTo: number): void {
    while (this.#first < this.#batches.length && (this.#batches[this.#first] as CommittedBatch).batch <= upTo) {
      this.#shift();
    }
  }

  #shift(): void {
    this.#rows -= (this.#batches[this.#first] as CommittedBatch).posted.length;
    this.#first++;
    if (this.#first < this.#batches.length && this.#first < SLACK) return;
    this.#batches = this.#batches.slice(this.#first);
    this.#first = 0;
  }
}
