/**
 * What of a writer's batches has to wait for another writer's: of a shard that came from there, nothing is published before
 * everything that was written of it there.
 *
 * - B1 a barrier is known before the first batch that it concerns can be published: this process's own shards tell it before
 *   they are served, and whoever reads batches from the table reads the barriers after them.
 * - B2 it concerns the batches after `toBatch` only. So every wait is for something older than what waits, and no two relays
 *   can wait for each other, as long as each publishes whatever stands before its first barrier.
 * - B3 a move hands on the barriers that still stand before the former owner: it may have written nothing of the shard.
 *
 * Pure.
 */
import { shards } from '@local-plus/contracts';
import type { Announcement, Chunk } from './domain.ts';

export interface Barrier {
  readonly shard: number;
  /** Of the shard, by its move. */
  readonly version: number;
  /** Published has to be this writer's batch, and all before. */
  readonly fromWriter: number;
  readonly fromBatch: number;
  readonly toBatch: number;
}

export class Barriers {
  readonly #byShard = new Map<number, Barrier[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  all(): readonly Barrier[] {
    return [...this.#byShard.values()].flat();
  }

  add(barriers: readonly Barrier[]): void {
    for (const barrier of barriers) {
      const known = this.#byShard.get(barrier.shard) ?? [];
      if (known.some((each) => nameOf(each) === nameOf(barrier))) continue;
      this.#byShard.set(barrier.shard, [...known, barrier]);
      this.#size++;
    }
  }

  /** @param before those known before the table was asked; of these, what it does not hold any more has served */
  replace(before: readonly Barrier[], open: readonly Barrier[]): void {
    const isOpen = new Set(open.map(nameOf));
    for (const barrier of before) if (!isOpen.has(nameOf(barrier))) this.#remove(barrier);
    this.add(open);
  }

  /** What of the chunk after `cursor` may be published now; null: nothing. Batches without rows count, too: others wait for them. */
  admit(chunk: Chunk, cursor: number): Chunk | null {
    if (this.#size === 0) return chunk;
    const blocked = chunk.rows.findIndex((row) => this.#stopsAt(row));
    if (blocked < 0) return chunk;
    const { batch } = chunk.rows[blocked] as Announcement;
    if (batch - 1 <= cursor) return null;
    return { rows: chunk.rows.filter((row) => row.batch < batch), lastBatch: batch - 1 };
  }

  #stopsAt({ batch, row }: Announcement): boolean {
    const barriers = this.#byShard.get(shards.shardOf(row.facts.accountId));
    return barriers?.some(({ toBatch }) => batch > toBatch) ?? false;
  }

  #remove(gone: Barrier): void {
    const { shard } = gone;
    const known = this.#byShard.get(shard) ?? [];
    const left = known.filter((barrier) => nameOf(barrier) !== nameOf(gone));
    this.#size -= known.length - left.length;
    if (left.length > 0) this.#byShard.set(shard, left);
    else this.#byShard.delete(shard);
  }
}

function nameOf({ shard, version, fromWriter }: Barrier): string {
  return `${shard} ${version} ${fromWriter}`;
}
