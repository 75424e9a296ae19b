import { ledgerStoreConformance } from '@local-plus/actors/conformance';
import { startDatabase } from '../test/database.ts';
import { findDue } from './dues.ts';
import { OpenTransfers } from './open-transfers.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

ledgerStoreConformance('Postgres', async () => {
  const database = await startDatabase();
  const pool = database.pool();
  const open = new OpenTransfers(pool);
  return {
    connect: () => new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults }),
    due: (nowMs, accountsMax) => findDue(pool, nowMs, accountsMax),
    openTransfers: (transfersMax) => open.find(0, transfersMax),
    closeTransfer: (departure) => open.close(departure),
    close: () => database.close(),
  };
});
