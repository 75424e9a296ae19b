/** Program id → what every command on its wallets has to know of it, from memory where it can. Never changes. */
import type { ProgramId } from '@local-plus/contracts';
import type { Batcher } from '../platform/batching/index.ts';
import { LoadingCache } from '../platform/cache/index.ts';
import type { ProgramFacts } from './domain.ts';
import { rulesOf } from './rules.ts';
import type { ProgramRow } from './store.ts';

export class ProgramDirectory {
  readonly #facts: LoadingCache<ProgramId, ProgramFacts>;

  constructor(rows: Batcher<ProgramId, ProgramRow | null>, heldMax: number) {
    const load = async (programId: ProgramId): Promise<ProgramFacts | null> => {
      const row = await rows.submit(programId);
      return row === null ? null : factsOf(row);
    };
    this.#facts = new LoadingCache({ heldMax, load });
  }

  find(programId: ProgramId): ProgramFacts | null | Promise<ProgramFacts | null> {
    return this.#facts.get(programId);
  }
}

function factsOf(row: ProgramRow): ProgramFacts {
  return { programId: row.id, merchantId: row.merchant_id, unit: row.unit, rules: rulesOf(row) };
}
