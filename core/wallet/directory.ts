/**
 * ④ Wallet id → what every earn has to know of it: at once when it is in memory, else by a statement that all who ask
 * in the meantime share.
 *
 * - F1 memory is bounded; the least recently used goes first.
 * - F2 what does not exist is not remembered: it may exist a moment later.
 */
import type { WalletId } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import type { Batcher } from '../platform/batching/index.ts';
import type { WalletFacts } from './domain.ts';
import { factsOf, type WalletRow } from './store.ts';

const TEXTS_MAX = 50_000;

export class WalletDirectory {
  readonly #rows: Batcher<WalletId, WalletRow | null>;
  readonly #facts: LRUCache<WalletId, WalletFacts>;
  readonly #texts = new LRUCache<string, string>({ max: TEXTS_MAX });
  readonly #loads = new Map<WalletId, Promise<WalletFacts | null>>();
  #hits = 0;
  #misses = 0;

  constructor(rows: Batcher<WalletId, WalletRow | null>, heldMax: number) {
    this.#rows = rows;
    this.#facts = new LRUCache({ max: heldMax });
  }

  get counts(): { readonly held: number; readonly hits: number; readonly misses: number } {
    return { held: this.#facts.size, hits: this.#hits, misses: this.#misses };
  }

  find(walletId: WalletId): WalletFacts | null | Promise<WalletFacts | null> {
    const known = this.#facts.get(walletId);
    if (known !== undefined) {
      this.#hits++;
      return known;
    }
    this.#misses++;
    return this.#loads.get(walletId) ?? this.#load(walletId);
  }

  /** Takes note of a row that was read or written anyway. */
  learn(row: WalletRow): WalletFacts {
    const facts = factsOf(row, (text) => this.#intern(text));
    this.#facts.set(facts.walletId, facts);
    return facts;
  }

  #load(walletId: WalletId): Promise<WalletFacts | null> {
    const load = this.#rows
      .submit(walletId)
      .then((row) => (row === null ? null : this.learn(row)))
      .finally(() => this.#loads.delete(walletId));
    this.#loads.set(walletId, load);
    return load;
  }

  #intern<Text extends string>(text: Text): Text {
    const known = this.#texts.get(text);
    if (known !== undefined) return known as Text;
    this.#texts.set(text, text);
    return text;
  }
}
