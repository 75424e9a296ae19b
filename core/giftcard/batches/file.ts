/**
 * The file of a job: the lines of its chunks, read as the client takes them.
 *
 * F1 it is whole or it breaks off: if chunks are deleted while it is read, the answer ends with an error, not as if that
 *    were all.
 */
import type { GiftcardBatchId } from '@local-plus/contracts';
import type { AnswerSource } from '../../platform/http/index.ts';
import type { BatchStore } from './store.ts';

export class BatchFile implements AnswerSource {
  readonly #store: Pick<BatchStore, 'chunks'>;
  readonly #id: GiftcardBatchId;
  readonly #chunksAtOnce: number;
  /** The chunk before the next one; −1: none. */
  #place: number;
  /** Lines of the next chunk that the client has. */
  #skip: number;
  #linesLeft: number;

  private constructor(
    store: Pick<BatchStore, 'chunks'>,
    id: GiftcardBatchId,
    chunksAtOnce: number,
    start: { place: number; skip: number; linesLeft: number },
  ) {
    this.#store = store;
    this.#id = id;
    this.#chunksAtOnce = chunksAtOnce;
    ({ place: this.#place, skip: this.#skip, linesLeft: this.#linesLeft } = start);
  }

  /** @param from lines that are left out */
  static async open(
    store: Pick<BatchStore, 'chunks' | 'counts'>,
    id: GiftcardBatchId,
    from: number,
    chunksAtOnce: number,
  ): Promise<BatchFile> {
    let [place, skip, total] = [-1, from, 0];
    for (const chunk of await store.counts(id)) {
      total += chunk.lines_count;
      if (total > from) continue;
      place = chunk.place;
      skip = from - total;
    }
    return new BatchFile(store, id, chunksAtOnce, { place, skip, linesLeft: Math.max(0, total - from) });
  }

  async next(): Promise<string | null> {
    while (this.#linesLeft > 0) {
      const chunks = await this.#store.chunks(this.#id, this.#place, this.#chunksAtOnce);
      const last = chunks.at(-1);
      if (last === undefined) throw new Error('the codes were deleted while they were read');
      this.#place = last.place;
      let piece = chunks.map(({ lines }) => lines).join('');
      this.#linesLeft -= chunks.reduce((sum, { lines_count }) => sum + lines_count, 0) - this.#skip;
      for (; this.#skip > 0; this.#skip--) piece = piece.slice(piece.indexOf('\n') + 1);
      if (piece !== '') return piece;
    }
    return null;
  }

  async stop(): Promise<void> {
    // A statement that is under way comes to its end by itself, and nobody looks at it.
  }
}
