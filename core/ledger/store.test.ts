import { ledgerStoreConformance } from '@local-plus/actors/conformance';
import { startDatabase } from '../test/database.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

ledgerStoreConformance('Postgres', async () => {
  const database = await startDatabase();
  return {
    connect: () => new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults }),
    close: () => database.close(),
  };
});
