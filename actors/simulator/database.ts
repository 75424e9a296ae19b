/** The ledger in memory behind the wires, as each core process sees it; the judge watches every statement's execution. */
import { type Batch, type Findings, type LedgerStore, type LookUps, StoreFailure } from '../ports.ts';
import { MemoryLedger } from '../stores/memory.ts';
import type { Core } from './core.ts';
import type { Judge } from './judge.ts';
import { Random } from './random.ts';
import type { Execute, Wires } from './wires.ts';
import type { World } from './world.ts';

/** In a reference: no text of the tables can hold it. */
export const POISON = '\0';

const refusals = {
  lookUp: new StoreFailure('refused', 'look-up refused'),
  oversize: new StoreFailure('refused', 'more rows than this server takes'),
  poison: new StoreFailure('refused', 'NUL in a text'),
} as const;

export class Database {
  readonly ledger = new MemoryLedger();
  readonly #world: World;
  readonly #wires: Wires;
  readonly #judge: Judge;
  readonly #random: Random;

  constructor(world: World, wires: Wires, judge: Judge) {
    this.#world = world;
    this.#wires = wires;
    this.#judge = judge;
    this.#random = new Random(world.plan.seed, 2);
  }

  storeOf(core: Core): LedgerStore {
    const { ledger } = this;
    const send = <Value>(name: string, execute: Execute<Value>) => this.#wires.send(core, 'writes', name, execute);
    return {
      claim: (writerId) =>
        send('claim', () => {
          const position = ledger.claim(writerId);
          this.#judge.claimed(core, position);
          return position;
        }),
      raise: (writerId, heldEpoch) =>
        send(`raise of epoch ${heldEpoch}`, () => {
          const position = ledger.raise(writerId, heldEpoch);
          this.#judge.raised(core, heldEpoch, position);
          return position;
        }),
      position: (writerId) => send('position', () => ledger.position(writerId)),
      commit: (batch) => {
        this.#judge.sent(core, batch);
        return send(this.#nameOf(batch), (isGhost) => this.#commit(core, batch, isGhost));
      },
      lookUp: (lookUps) => this.#wires.send(core, 'reads', 'look-up', () => this.#lookUp(lookUps)),
      reset: (kind) => this.#wires.reset(core, kind),
    };
  }

  #lookUp(lookUps: LookUps): Findings {
    const { faultsAreOn, plan } = this.#world;
    if (faultsAreOn && this.#random.chance(plan.faults['look-up refused'])) {
      this.#world.meet('look-up refused');
      throw refusals.lookUp;
    }
    const findings = this.ledger.lookUp(lookUps);
    for (const record of findings.accounts) this.#judge.restored(record);
    return findings;
  }

  /** What is wrong with the statement itself is found before the fence is looked at, or after: both exist. */
  #commit(core: Core, batch: Batch, isGhost: boolean): boolean {
    const { faults, poisonBeforeFence } = this.#world.plan;
    const isPoisoned = batch.posted.some(isPoison) || batch.refused.some(isPoison);
    const isOversize = faults.oversize > 0 && batch.posted.length + batch.refused.length > faults.oversize;
    if (isPoisoned) this.#world.meet('poison');
    if (isOversize) this.#world.meet('oversize');
    const keys = batch.isOptimistic ? [...batch.posted, ...batch.refused].map(({ facts }) => facts) : [];
    const isUsed = this.ledger.lookUp({ keys, accounts: [] }).keys.some((found) => found !== null);
    try {
      if (isOversize) throw refusals.oversize;
      if (isPoisoned && poisonBeforeFence) throw refusals.poison;
      const applied = this.ledger.commit(batch);
      if (applied && isGhost) this.#world.meet('ghost applied');
      if (applied && batch.isOptimistic) this.#world.meet('optimistic batch committed');
      this.#judge.committed(core, batch, applied);
      return applied;
    } catch (cause) {
      if (isUsed) this.#world.meet('optimistic batch refused');
      this.#judge.refused(core, batch, String(cause), isPoisoned || isOversize || isUsed);
      throw cause;
    }
  }

  #nameOf(batch: Batch): string {
    if (!this.#world.isTraced) return 'commit';
    const keys = [...batch.posted, ...batch.refused].map(({ facts }) => facts.idempotencyKey);
    return `batch ${batch.batch} of epoch ${batch.epoch} (${keys.join(', ')})`;
  }
}

function isPoison({ facts }: { readonly facts: { readonly reference: string | null } }): boolean {
  return facts.reference === POISON;
}
