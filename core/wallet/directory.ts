/** ④ Wallet id → what every earn has to know of it, from memory where it can. Never changes for a wallet that exists. */
import type { WalletId } from '@local-plus/contracts';
import type { Batcher } from '../platform/batching/index.ts';
import { type CacheCounts, LoadingCache } from '../platform/cache/index.ts';
import type { ProgramDirectory, ProgramTerms, WalletFacts } from './domain.ts';
import { factsOf, type WalletRow } from './store.ts';

export class WalletDirectory {
  readonly #facts: LoadingCache<WalletId, WalletFacts>;

  constructor(rows: Batcher<WalletId, WalletRow | null>, programs: ProgramDirectory, heldMax: number) {
    const load = async (walletId: WalletId): Promise<WalletFacts | null> => {
      const row = await rows.submit(walletId);
      if (row === null) return null;
      const program = await programs.find(row.program_id);
      if (program === null) throw new Error('a wallet stands in a program that does not exist');
      return factsOf(row, program);
    };
    this.#facts = new LoadingCache({ heldMax, load });
  }

  get counts(): CacheCounts {
    return this.#facts.counts;
  }

  find(walletId: WalletId): WalletFacts | null | Promise<WalletFacts | null> {
    return this.#facts.get(walletId);
  }

  /** Takes note of a row that was written anyway. */
  learn(row: WalletRow, program: ProgramTerms): WalletFacts {
    const facts = factsOf(row, program);
    this.#facts.set(facts.walletId, facts);
    return facts;
  }
}
