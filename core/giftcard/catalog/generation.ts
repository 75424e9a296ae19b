/**
 * Which generation of the catalog is the current one, as the edge compares it (contracts/generations.ts).
 */
import { DatabaseUnavailable } from '../../platform/postgres/index.ts';

export class CatalogGeneration {
  readonly #read: () => Promise<number>;
  #last: number | null = null;

  constructor(read: () => Promise<number>) {
    this.#read = read;
  }

  /** As it is now. Rejects when the database is away. */
  async now(): Promise<string> {
    const generation = await this.#read();
    // Answers may overtake each other; it never goes back.
    this.#last = Math.max(this.#last ?? 0, generation);
    return textOf(generation);
  }

  /** As it is now; while the database is away, the last that this process has read: its answers say that they are of it. */
  async last(): Promise<string> {
    try {
      return await this.now();
    } catch (error) {
      if (this.#last === null || !(error instanceof DatabaseUnavailable)) throw error;
      return textOf(this.#last);
    }
  }
}

function textOf(generation: number): string {
  return generation.toString(36);
}
