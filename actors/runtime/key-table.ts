/**
 * Who is on the way under which Idempotency-Key: a hash table whose entries are the requests themselves, chained within a bucket.
 *
 * Not a `Map`, for the reason that chain.ts gives: under load a map here kept every request alive until the next full
 * collection, and cost a microsecond of processor time a request.
 *
 * Clients choose the keys, so some can be made to share a bucket; an account's mailbox bounds how long that chain gets.
 */
import type { IdempotencyKey } from '@local-plus/contracts';

export interface Keyed {
  readonly facts: { readonly idempotencyKey: IdempotencyKey };
  /** The next one of its bucket; the table's alone. */
  nextKeyed: Keyed | null;
}

const BUCKETS_MIN = 16;

export class KeyTable<Entry extends Keyed> {
  /** A power of two of them, at least as many as there are entries. */
  #buckets: (Keyed | null)[] = empty(BUCKETS_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(key: IdempotencyKey): Entry | undefined {
    let entry = this.#buckets[this.#bucketOf(key)] ?? null;
    while (entry !== null && entry.facts.idempotencyKey !== key) entry = entry.nextKeyed;
    return (entry ?? undefined) as Entry | undefined;
  }

  /** In one table at a time, once. */
  add(entry: Entry): void {
    if (this.#size === this.#buckets.length) this.#grow();
    this.#put(entry);
    this.#size++;
  }

  /** Whether it was there; another entry with its key stays. */
  delete(entry: Entry): boolean {
    const bucket = this.#bucketOf(entry.facts.idempotencyKey);
    let previous: Keyed | null = null;
    let other = this.#buckets[bucket] ?? null;
    while (other !== null && other !== entry) {
      previous = other;
      other = other.nextKeyed;
    }
    if (other === null) return false;
    if (previous === null) this.#buckets[bucket] = entry.nextKeyed;
    else previous.nextKeyed = entry.nextKeyed;
    entry.nextKeyed = null;
    this.#size--;
    return true;
  }

  #put(entry: Keyed): void {
    const bucket = this.#bucketOf(entry.facts.idempotencyKey);
    entry.nextKeyed = this.#buckets[bucket] ?? null;
    this.#buckets[bucket] = entry;
  }

  #grow(): void {
    const buckets = this.#buckets;
    this.#buckets = empty(buckets.length * 2);
    for (const first of buckets) {
      for (let entry = first; entry !== null; ) {
        const next: Keyed | null = entry.nextKeyed;
        this.#put(entry);
        entry = next;
      }
    }
  }

  #bucketOf(key: string): number {
    return hashOf(key) & (this.#buckets.length - 1);
  }
}

function empty(count: number): null[] {
  return new Array<null>(count).fill(null);
}

/** FNV-1a, 32 bits, over UTF-16 units: keys are ASCII. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 16);
}
