import { ledgerStoreConformance } from '@local-plus/actors/conformance';
import { createDatabase } from '../platform/postgres/index.ts';
import { startDatabase } from '../test/database.ts';
import { quiet } from '../test/stack.ts';
import { findDue } from './dues.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

ledgerStoreConformance('Postgres', async () => {
  const database = await startDatabase();
  const pool = createDatabase({
    url: database.url,
    name: 'test',
    connectionsMax: 2,
    connectMs: 3_000,
    statementMs: 5_000,
    statementGraceMs: 2_000,
    log: quiet,
  });
  return {
    connect: () => new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults }),
    due: (nowMs, accountsMax) => findDue(pool, nowMs, accountsMax),
    close: async () => {
      await pool.close(1_000);
      await database.close();
    },
  };
});
