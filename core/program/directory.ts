/** Program id → what every command on its accounts has to know of it, from memory where it can. */
import type { ProgramId } from '@local-plus/contracts';
import type { Batcher } from '../platform/batching/index.ts';
import { LoadingCache } from '../platform/cache/index.ts';
import { CurrentRules, type ProgramFacts, type Schedule } from './domain.ts';
import type { ScheduledProgram } from './store.ts';
import { type ProgramRules, rulesOf } from './terms.ts';

export interface ProgramDirectoryPorts {
  readonly rows: Batcher<ProgramId, ScheduledProgram | null>;
  readonly heldMax: number;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

export class ProgramDirectory {
  readonly #ports: ProgramDirectoryPorts;
  readonly #facts: LoadingCache<ProgramId, ProgramFacts>;

  constructor(ports: ProgramDirectoryPorts) {
    this.#ports = ports;
    this.#facts = new LoadingCache({ heldMax: ports.heldMax, load: (programId) => this.#load(programId) });
  }

  /** At once when it is known; null: there is no such program. */
  find(programId: ProgramId): ProgramFacts | null | Promise<ProgramFacts | null> {
    const found = this.#facts.get(programId);
    if (found === null || found instanceof Promise) return found;
    return renewalOf(found.rules)?.then(() => found) ?? found;
  }

  /** Only from memory; its rules may have to be read anew ({@link renewalOf}). */
  known(programId: ProgramId): ProgramFacts | undefined {
    return this.#facts.known(programId);
  }

  async #load(programId: ProgramId): Promise<ProgramFacts | null> {
    const readAtMs = this.#ports.monotonicMs();
    const row = await this.#ports.rows.submit(programId);
    if (row === null) return null;
    const rules = new CurrentRules(
      { ...this.#ports, read: () => this.#schedule(programId) },
      scheduleOf(row, readAtMs),
    );
    return { programId: row.id, merchantId: row.merchant_id, unit: row.unit, rules };
  }

  async #schedule(programId: ProgramId): Promise<Schedule> {
    const readAtMs = this.#ports.monotonicMs();
    const row = await this.#ports.rows.submit(programId);
    if (row === null) throw new Error('a program is gone');
    return scheduleOf(row, readAtMs);
  }
}

/** {@link CurrentRules.renewal} of what may be a program's rules; others never change. */
export function renewalOf(rules: ProgramRules): Promise<void> | null {
  return rules instanceof CurrentRules ? rules.renewal() : null;
}

function scheduleOf(row: ScheduledProgram, readAtMs: number): Schedule {
  const first = { fromMs: Number.NEGATIVE_INFINITY, rules: rulesOf(row) };
  const further = row.versions.map((version) => ({ fromMs: version.from_ms, rules: rulesOf(version) }));
  return { versions: [first, ...further], readAtMs, knownFromMs: row.known_from_ms };
}
