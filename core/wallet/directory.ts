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
import type { ProgramDirectory, ProgramTerms, WalletFacts } from './domain.ts';
import { factsOf, type WalletRow } from './store.ts';

export class WalletDirectory {
  readonly #rows: Batcher<WalletId, WalletRow | null>;
  readonly #programs: ProgramDirectory;
  readonly #facts: LRUCache<WalletId, WalletFacts>;
  readonly #loads = new Map<WalletId, Promise<WalletFacts | null>>();
  #hits = 0;
  #misses = 0;

  constructor(rows: Batcher<WalletId, WalletRow | null>, programs: ProgramDirectory, heldMax: number) {
    this.#rows = rows;
    this.#programs = programs;
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

  /** Takes note of a row that was written anyway. */
  learn(row: WalletRow, program: ProgramTerms): WalletFacts {
    const facts = factsOf(row, program);
    this.#facts.set(facts.walletId, facts);
    return facts;
  }

  #load(walletId: WalletId): Promise<WalletFacts | null> {
    const load = this.#learnOf(walletId).finally(() => this.#loads.delete(walletId));
    this.#loads.set(walletId, load);
    return load;
  }

  async #learnOf(walletId: WalletId): Promise<WalletFacts | null> {
    const row = await this.#rows.submit(walletId);
    if (row === null) return null;
    const program = await this.#programs.find(row.program_id);
    if (program === null) throw new Error('a wallet stands in a program that does not exist');
    return this.learn(row, program);
  }
}
