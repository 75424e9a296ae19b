/**
 * How far Kafka is behind the ledger: told by every offer, and read from the table where nobody offered.
 *
 * A read and the offers of its time overlap: what was committed after its snapshot it has not seen, and nobody will say so again.
 *
 * Must not know: Kafka, Postgres.
 */
import type { Backlog } from './store.ts';

interface Offered {
  readonly batch: number;
  readonly rows: number;
}

export class Lag {
  /** The newest batch that is known to be committed. */
  #newest = 0;
  /** Up to here batches are in `#rows`. */
  #countedTo = 0;
  #rows = 0;
  /** Offered during a read; null: there is none. As many at most as are committed meanwhile. */
  #meanwhile: Offered[] | null = null;

  get newest(): number {
    return this.#newest;
  }

  /** Transactions that are committed and not published. */
  get transactions(): number {
    return this.#rows;
  }

  /** In batch order. */
  offered(batch: number, rows: number): void {
    this.#newest = Math.max(this.#newest, batch);
    if (batch <= this.#countedTo) return;
    this.#countedTo = batch;
    this.#rows += rows;
    this.#meanwhile?.push({ batch, rows });
  }

  /**
   * Counts by the table what is behind `cursor`. Not during another of these, and nothing is {@link published} meanwhile.
   *
   * @param read rejects: nothing has changed
   */
  readFrom(cursor: number, read: (cursor: number) => Promise<Backlog>): Promise<void> {
    return this.#count(cursor, 0, read);
  }

  /** As {@link readFrom}, after what is known: another process may be the writer. */
  readOn(read: (cursor: number) => Promise<Backlog>): Promise<void> {
    return this.#count(this.#countedTo, this.#rows, read);
  }

  async #count(cursor: number, known: number, read: (cursor: number) => Promise<Backlog>): Promise<void> {
    const meanwhile: Offered[] = [];
    this.#meanwhile = meanwhile;
    try {
      const { newest, rows } = await read(cursor);
      const unseen = meanwhile.filter(({ batch }) => batch > newest).reduce((sum, offer) => sum + offer.rows, 0);
      this.#rows = known + rows + unseen;
      this.#countedTo = Math.max(this.#countedTo, newest);
      this.#newest = Math.max(this.#newest, newest, cursor);
    } finally {
      this.#meanwhile = null;
    }
  }

  /** Everything up to this batch is, `rows` of it just now. */
  published(cursor: number, rows: number): void {
    this.#newest = Math.max(this.#newest, cursor);
    this.#countedTo = Math.max(this.#countedTo, cursor);
    this.#rows = cursor >= this.#newest ? 0 : Math.max(0, this.#rows - rows);
  }
}
