/**
 * Id → what every command has to know of the account that it names, from memory where it can: a row, joined with what it
 * stands in. For what never changes once it exists.
 */
import { type CacheCounts, LoadingCache } from './loading.ts';

/**
 * A memory of rows in so little room that what is made of them is made anew each time. It may forget, and never errs.
 */
export interface RowMemory<Id, Row, Parent> {
  recall(id: Id): Row | null;
  note(row: Row): void;
  /** Only from memory. */
  parentOf(row: Row): Parent | undefined;
}

type Found<Value> = Value | null | Promise<Value | null>;

export interface DirectoryOptions<Id, Row, Parent, Facts> {
  /** Entries in memory, from 1 on; what `rows` recalls is none of them. */
  readonly heldMax: number;
  readonly rowOf: (id: Id) => Promise<Row | null>;
  readonly parentOf: (row: Row) => Found<Parent>;
  readonly join: (row: Row, parent: Parent) => Facts;
  readonly rows?: RowMemory<Id, Row, Parent>;
}

export class Directory<Id extends string, Row, Parent, Facts extends object> {
  readonly #facts: LoadingCache<Id, Facts>;
  readonly #join: (row: Row, parent: Parent) => Facts;
  readonly #rows: RowMemory<Id, Row, Parent> | null;

  constructor({ heldMax, rowOf, parentOf, join, rows }: DirectoryOptions<Id, Row, Parent, Facts>) {
    this.#join = join;
    this.#rows = rows ?? null;
    const load = async (id: Id): Promise<Facts | null> => {
      const row = rows?.recall(id) ?? (await rowOf(id));
      if (row === null) return null;
      const parent = await parentOf(row);
      if (parent === null) throw new Error('a row stands in something that does not exist');
      rows?.note(row);
      return join(row, parent);
    };
    const recall = (id: Id): Facts | null => {
      const row = rows?.recall(id) ?? null;
      const parent = row === null ? undefined : rows?.parentOf(row);
      return row === null || parent === undefined ? null : join(row, parent);
    };
    this.#facts = new LoadingCache({ heldMax, load, recall });
  }

  get counts(): CacheCounts {
    return this.#facts.counts;
  }

  find(id: Id): Found<Facts> {
    return this.#facts.get(id);
  }

  /** Only from memory. */
  known(id: Id): Facts | undefined {
    return this.#facts.known(id);
  }

  /** Takes note of a row that was read or written anyway. */
  learn(id: Id, row: Row, parent: Parent): Facts {
    const facts = this.#join(row, parent);
    this.#rows?.note(row);
    this.#facts.set(id, facts);
    return facts;
  }
}
