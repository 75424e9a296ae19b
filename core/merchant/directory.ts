/**
 * Program id → what every command on its wallets has to know of it: at once when it is in memory, else by a statement
 * that all who ask in the meantime share.
 *
 * - F1 memory is bounded; the least recently used goes first.
 * - F2 what does not exist is not remembered: it may exist a moment later.
 */
import type { ProgramId } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import type { Batcher } from '../platform/batching/index.ts';
import type { ProgramFacts } from './domain.ts';
import { rulesOf } from './rules.ts';
import type { ProgramRow } from './store.ts';

export class ProgramDirectory {
  readonly #rows: Batcher<ProgramId, ProgramRow | null>;
  readonly #facts: LRUCache<ProgramId, ProgramFacts>;
  readonly #loads = new Map<ProgramId, Promise<ProgramFacts | null>>();

  constructor(rows: Batcher<ProgramId, ProgramRow | null>, heldMax: number) {
    this.#rows = rows;
    this.#facts = new LRUCache({ max: heldMax });
  }

  find(programId: ProgramId): ProgramFacts | null | Promise<ProgramFacts | null> {
    return this.#facts.get(programId) ?? this.#loads.get(programId) ?? this.#load(programId);
  }

  #load(programId: ProgramId): Promise<ProgramFacts | null> {
    const load = this.#rows
      .submit(programId)
      .then((row) => (row === null ? null : this.#learn(row)))
      .finally(() => this.#loads.delete(programId));
    this.#loads.set(programId, load);
    return load;
  }

  #learn(row: ProgramRow): ProgramFacts {
    const facts = { programId: row.id, merchantId: row.merchant_id, unit: row.unit, rules: rulesOf(row) };
    this.#facts.set(row.id, facts);
    return facts;
  }
}
