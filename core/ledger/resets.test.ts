/** Connections of the ledger that are reset while statements are sent: what it reads is what there is, or was lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { StoreFailure } from '@local-plus/actors';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { type Ask, Resetter, whileBusy, whileIdle } from '../test/resets.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';

const WRITER = 7;

describe('the ledger, whose connections are reset', () => {
  let database: TestDatabase;
  let resetter: Resetter;
  let store: PostgresLedgerStore;

  before(async () => {
    database = await startDatabase();
    resetter = new Resetter(database.url);
    const url = await resetter.listen(database.url);
    store = new PostgresLedgerStore({ ...storeDefaults, databaseUrl: url, replyTimeoutMs: 3_000 });
    await store.claim(WRITER);
  });
  after(async () => {
    await store.reset('writes');
    await resetter.close();
    await database.close();
  });

  const position: Ask = async () => {
    try {
      assert.deepEqual(await store.position(WRITER), { epoch: 1, batch: 0 });
      return true;
    } catch (error) {
      assert.ok(error instanceof StoreFailure && !error.message.endsWith('no code'), String(error));
      return false;
    }
  };

  it('busy: finds its writer where it is, or says that the connection was lost', () => whileBusy(resetter, position));

  it('idle: so it does', () => whileIdle(resetter, position));
});
