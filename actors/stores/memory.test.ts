import { ledgerStoreConformance } from '../conformance/index.ts';
import { MemoryLedger } from './memory.ts';

ledgerStoreConformance('memory', async () => {
  const ledger = new MemoryLedger();
  return {
    connect: () => ledger.connect(),
    due: async (nowMs, accountsMax) => ledger.due(nowMs, accountsMax),
    openTransfers: async (transfersMax) => ledger.openTransfers(transfersMax),
    closeTransfer: async (departure) => ledger.closeTransfer(departure),
    close: async () => undefined,
  };
});
