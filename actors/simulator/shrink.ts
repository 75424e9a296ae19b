/**
 * From a failing history to a smaller one that fails too: fewer operations, fewer kinds of faults, fewer accounts. Each
 * step is another history of the same seed; it is kept when it fails, whatever it fails of.
 */
import { type Report, simulate } from './history.ts';
import { faultKinds, type PlanChanges, planOf } from './plan.ts';

/** How many histories a shrinking may try. */
const TRIES_MAX = 400;

export interface Shrunk {
  readonly changes: PlanChanges;
  readonly report: Report;
  readonly tries: number;
}

export class Shrinker {
  readonly #seed: number;
  readonly #isWanted: (report: Report) => boolean;
  #changes: Required<PlanChanges>;
  #report: Report;
  #tries = 0;

  /** @param isWanted what the smaller ones must have too; by default, any violation */
  constructor(failing: Report, isWanted = (report: Report) => report.violation !== null) {
    const { seed, accounts } = failing.plan;
    const without = faultKinds.filter((kind) => failing.plan.faults[kind] === 0);
    this.#seed = seed;
    this.#isWanted = isWanted;
    this.#report = failing;
    this.#changes = { operations: failing.plan.operations, accounts, without };
  }

  async shrink(): Promise<Shrunk> {
    for (let isSmaller = true; isSmaller && this.#tries < TRIES_MAX; ) {
      const counts = [await this.#fewer('operations'), await this.#withoutFaults(), await this.#fewer('accounts')];
      isSmaller = counts.some((smaller) => smaller);
    }
    return { changes: this.#changes, report: this.#report, tries: this.#tries };
  }

  /** Halves, then less and less. */
  async #fewer(what: 'operations' | 'accounts'): Promise<boolean> {
    const before = this.#changes[what];
    for (let cut = before >> 1; cut > 0; ) {
      const smaller = this.#changes[what] - cut;
      if (smaller < 1 || !(await this.#try({ ...this.#changes, [what]: smaller }))) cut >>= 1;
    }
    return this.#changes[what] < before;
  }

  async #withoutFaults(): Promise<boolean> {
    const before = this.#changes.without.length;
    for (const kind of faultKinds) {
      const { without } = this.#changes;
      if (!without.includes(kind)) await this.#try({ ...this.#changes, without: [...without, kind] });
    }
    return this.#changes.without.length > before;
  }

  async #try(changes: Required<PlanChanges>): Promise<boolean> {
    if (this.#tries++ >= TRIES_MAX) return false;
    const report = await simulate(planOf(this.#seed, changes));
    if (!this.#isWanted(report)) return false;
    this.#changes = changes;
    this.#report = report;
    return true;
  }
}
