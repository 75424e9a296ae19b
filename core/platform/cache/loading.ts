/**
 * A loading cache for what never changes once it exists: at once when it is in memory, else by a load that all who ask
 * in the meantime share.
 *
 * - F1 memory is bounded; the least recently used goes first.
 * - F2 what does not exist is not remembered: it may exist a moment later.
 * - F3 a load that fails is told to all who share it, and to nobody else: the next one to ask loads again.
 */
import { LRUCache } from 'lru-cache';

export interface LoadingCacheOptions<Key, Value> {
  /** From 1 on. */
  readonly heldMax: number;
  /** null: it does not exist. */
  readonly load: (key: Key) => Promise<Value | null>;
  /** What can be made anew for less than it costs to hold, and so is not held; null: nothing can. */
  readonly recall?: (key: Key) => Value | null;
}

/** Since the beginning; `held` is now. */
export interface CacheCounts {
  readonly held: number;
  readonly hits: number;
  /** Whoever shares a load missed, too. */
  readonly misses: number;
}

export class LoadingCache<Key extends string, Value extends object> {
  readonly #held: LRUCache<Key, Value>;
  readonly #load: (key: Key) => Promise<Value | null>;
  readonly #recall: (key: Key) => Value | null;
  readonly #loads = new Map<Key, Promise<Value | null>>();
  #hits = 0;
  #misses = 0;

  constructor({ heldMax, load, recall = () => null }: LoadingCacheOptions<Key, Value>) {
    this.#held = new LRUCache({ max: heldMax });
    this.#load = load;
    this.#recall = recall;
  }

  get counts(): CacheCounts {
    return { held: this.#held.size, hits: this.#hits, misses: this.#misses };
  }

  /** A promise only where it has to be loaded; it rejects as the load does. */
  get(key: Key): Value | null | Promise<Value | null> {
    const known = this.known(key);
    if (known !== undefined) return known;
    this.#misses++;
    return this.#loads.get(key) ?? this.#begin(key);
  }

  /** Only from memory; counted only when it is there. */
  known(key: Key): Value | undefined {
    const known = this.#recall(key) ?? this.#held.get(key);
    if (known !== undefined) this.#hits++;
    return known;
  }

  /** Takes note of what is known anyway. */
  set(key: Key, value: Value): void {
    if (this.#recall(key) === null) this.#held.set(key, value);
  }

  #begin(key: Key): Promise<Value | null> {
    const load = this.#learn(key).finally(() => this.#loads.delete(key));
    this.#loads.set(key, load);
    return load;
  }

  async #learn(key: Key): Promise<Value | null> {
    const value = await this.#load(key);
    if (value !== null) this.set(key, value);
    return value;
  }
}
