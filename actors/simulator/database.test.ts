/** What histories are played on is a ledger store like the others, as long as nothing goes wrong. */
import { ledgerStoreConformance } from '../conformance/index.ts';
import type { LedgerStore } from '../ports.ts';
import type { Core } from './core.ts';
import { Database } from './database.ts';
import type { Judge } from './judge.ts';
import { faultKinds, planOf } from './plan.ts';
import { Wires } from './wires.ts';
import { World } from './world.ts';

/** The suite's rows belong to no history: there is nothing to hold them against. */
const nobody: Pick<Judge, 'claimed' | 'raised' | 'sent' | 'committed' | 'refused' | 'restored'> = {
  claimed: () => undefined,
  raised: () => undefined,
  sent: () => undefined,
  committed: () => undefined,
  refused: () => undefined,
  restored: () => undefined,
};

const core: Pick<Core, 'name' | 'deliver'> = { name: 'suite', deliver: (run) => run() };

/** Time passes whenever somebody waits. */
function inTime(store: LedgerStore, { clockwork }: World): LedgerStore {
  let passed = Promise.resolve();
  const passing = <Value>(reply: Promise<Value>): Promise<Value> => {
    passed = passed.then(() => clockwork.run(Number.POSITIVE_INFINITY, () => false));
    return reply;
  };
  return {
    claim: (writerId) => passing(store.claim(writerId)),
    raise: (writerId, heldEpoch) => passing(store.raise(writerId, heldEpoch)),
    position: (writerId) => passing(store.position(writerId)),
    commit: (batch) => passing(store.commit(batch)),
    lookUp: (lookUps) => passing(store.lookUp(lookUps)),
    reset: (connection) => passing(store.reset(connection)),
  };
}

ledgerStoreConformance('simulated', async () => {
  const world = new World(planOf(1, { without: faultKinds }), null, null);
  world.faultsAreOn = false;
  const database = new Database(world, new Wires(world), nobody as Judge);
  const { ledger } = database;
  return {
    // Each a process of its own: connections are known by theirs.
    connect: () => inTime(database.storeOf({ ...core } as Core), world),
    due: async (nowMs, accountsMax) => ledger.due(nowMs, accountsMax),
    openTransfers: async (transfersMax) => ledger.openTransfers(transfersMax),
    closeTransfer: async (departure) => ledger.closeTransfer(departure),
    close: async () => undefined,
  };
});
