/**
 * Many callers, one statement: what is asked for while a statement is under way shares the next one.
 *
 * - B1 one run at a time; the first of a pause goes at once, nobody waits for company.
 * - B2 the number of those who wait is bounded; one more is refused.
 * - B3 a run that fails by the fault of one item does not fail the others: it is repeated item by item, unless the
 *   failure is one that would meet them all.
 */

export interface BatcherOptions<Item, Result> {
  readonly batchMax: number;
  readonly waitingMax: number;
  /** Results in the order of the items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Whether a failure has nothing to do with the items (the database is away). */
  readonly concernsAll: (error: unknown) => boolean;
  /** What one caller too many gets. */
  readonly refusal: () => Error;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #isRunning = false;

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.waitingMax) return Promise.reject(this.#options.refusal());
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    if (!this.#isRunning) void this.#runAll();
    return promise;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await this.#runBatch(this.#waiting.splice(0, this.#options.batchMax));
    }
    this.#isRunning = false;
  }

  async #runBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length > 1 && !this.#options.concernsAll(error)) {
        for (const one of batch) await this.#runBatch([one]);
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }
}
