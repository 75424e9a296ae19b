/** What comes from the table is what came from memory: every kind of transaction gives the same two messages. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { batchOf, newAccountId, posted } from '@local-plus/actors/conformance';
import { wallets } from '@local-plus/contracts';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { messagesOf } from './events.ts';
import { PostgresRelayStore } from './store.ts';

describe("the relay's table", () => {
  let database: TestDatabase;
  let relayStore: PostgresRelayStore;
  before(async () => {
    database = await startDatabase();
    relayStore = new PostgresRelayStore(database.url);
  });
  after(async () => {
    await relayStore.close();
    await database.close();
  });

  it('gives the messages that the rows in memory give', async () => {
    const ledgerStore = new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults });
    const writer = await ledgerStore.claim(5);
    const accountId = newAccountId();
    const rows = wallets.transactionKinds.map((kind, index) =>
      posted(
        accountId,
        index + 1,
        { reference: index % 2 === 0 ? null : `"${kind}"`, traceparent: index % 3 === 0 ? null : 'of a request' },
        {
          kind,
          amount: index,
          balanceDelta: -index,
          balanceAfter: -index,
          heldAfter: index,
          baseVersion: 0,
          detail: { lots: [[20_000, index]], reason: kind },
          checkpoint: index === 4 ? '{}' : null,
          due: index === 5 ? { atMs: 1 } : null,
        },
      ),
    );
    const batch = writer.batch + 1;
    const applied = await ledgerStore.commit(batchOf({ writerId: 5, epoch: writer.epoch, batch }, { posted: rows }));
    assert.ok(applied);
    await ledgerStore.reset('writes');
    const fromTable = await relayStore.page(5, writer.batch, 100);
    const fromMemory = rows.map((row, place) => ({ batch, place, row }));
    assert.deepEqual(messagesOf(5, fromTable), messagesOf(5, fromMemory));
    assert.equal(fromTable.length, wallets.transactionKinds.length);
  });
});
