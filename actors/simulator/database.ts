/** The ledger in memory behind the wires, as each core process sees it; the judge watches every statement's execution. */
import { type Batch, type LedgerStore, StoreFailure } from '../ports.ts';
import { MemoryLedger } from '../stores/memory.ts';
import type { Core } from './core.ts';
import type { Judge } from './judge.ts';
import { Random } from './random.ts';
import type { Wires } from './wires.ts';
import type { World } from './world.ts';

/** In a reference: no text of the tables can hold it. */
export const POISON = '\0';

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
    const tables = this.ledger.connect();
    const send = <Reply>(name: string, execute: (isGhost: boolean) => Promise<Reply>) =>
      this.#wires.send(core, 'writes', { name, execute }) as Promise<Reply>;
    return {
      claim: (writerId) =>
        send('claim', async () => {
          const position = await tables.claim(writerId);
          this.#judge.claimed(core, position);
          return position;
        }),
      raise: (writerId, heldEpoch) =>
        send(`raise of epoch ${heldEpoch}`, async () => {
          const position = await tables.raise(writerId, heldEpoch);
          this.#judge.raised(core, heldEpoch, position);
          return position;
        }),
      position: (writerId) => send('position', () => tables.position(writerId)),
      commit: (batch) => {
        this.#judge.sent(core, batch);
        return send(this.#nameOf(batch), (isGhost) => this.#commit(core, tables, batch, isGhost));
      },
      lookUp: (lookUps) => {
        const execute = () => this.#lookUp(tables, lookUps);
        return this.#wires.send(core, 'reads', { name: 'look-up', execute }) as ReturnType<LedgerStore['lookUp']>;
      },
      reset: (kind) => this.#wires.reset(core, kind),
    };
  }

  async #lookUp(tables: LedgerStore, lookUps: Parameters<LedgerStore['lookUp']>[0]): ReturnType<LedgerStore['lookUp']> {
    const { faultsAreOn, plan } = this.#world;
    if (faultsAreOn && this.#random.chance(plan.faults['look-up refused'])) {
      this.#world.meet('look-up refused');
      throw new StoreFailure('refused', 'look-up refused');
    }
    const findings = await tables.lookUp(lookUps);
    for (const record of findings.accounts) this.#judge.restored(record);
    return findings;
  }

  /** What is wrong with the statement itself is found before the fence is looked at, or after: both exist. */
  async #commit(core: Core, tables: LedgerStore, batch: Batch, isGhost: boolean): Promise<boolean> {
    const { faults, poisonBeforeFence } = this.#world.plan;
    const isPoisoned = batch.posted.some(isPoison) || batch.refused.some(isPoison);
    const isOversize = faults.oversize > 0 && batch.posted.length + batch.refused.length > faults.oversize;
    if (isPoisoned) this.#world.meet('poison');
    if (isOversize) this.#world.meet('oversize');
    try {
      if (isOversize) throw new StoreFailure('refused', 'more rows than this server takes');
      if (isPoisoned && poisonBeforeFence) throw new StoreFailure('refused', 'NUL in a text');
      const applied = await tables.commit(batch);
      if (applied && isGhost) this.#world.meet('ghost applied');
      this.#judge.committed(core, batch, applied);
      return applied;
    } catch (cause) {
      this.#judge.refused(core, batch, String(cause), isPoisoned || isOversize);
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
