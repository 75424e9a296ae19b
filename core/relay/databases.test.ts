/** The relays of a ledger in two databases, on a real Kafka: each publishes its own database's batches, and together all (I5). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type LedgerTransactionEvent, ledgerTransactionEvent, topics, wallets } from '@local-plus/contracts';
import { databaseOf, TwoDatabases } from '../shards/test/two-databases.ts';
import { readTopic, startBroker, type TestBroker } from '../test/kafka.ts';
import { eventually, type SignedClient } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';

describe('the relays of two databases', () => {
  const two = new TwoDatabases();
  let broker: TestBroker;
  before(async () => {
    await Promise.all([two.start(), startBroker().then((started) => (broker = started))]);
    await two.place();
  });
  after(async () => {
    await two.stop();
    await broker.close();
  });

  it('publish every transaction of both, per wallet in version order', async () => {
    const clients: SignedClient[] = [];
    for (const id of [1, 2] as const) {
      const env = { ...two.env(id), WRITER_ID: String(id), KAFKA_BROKERS: broker.brokers.join() };
      clients.push((await two.stack.startCore(env)).client);
    }
    const tenant = await Tenant.open(clients[0] as SignedClient);
    const ids = await Promise.all(Array.from({ length: 16 }, (_, index) => two.wallet(tenant, index < 8 ? 1 : 2)));
    await inLanes(160, 16, async (index) => {
      const answer = await (clients[index % 2] as SignedClient).post(
        `/v1/wallets/${ids[index % ids.length]}/earn`,
        { amount: 1 },
        { caller: tenant.caller, key: `k-${index}` },
      );
      parsed(answer, 201, wallets.transaction);
    });
    for (const id of [1, 2] as const) {
      await eventually(`the relay of database ${id} has caught up`, async () => {
        const [row] = await two.sql(id)`
          select w.batch = p.batch as done from writers as w join relay_progress as p on p.writer_id = w.id where w.id = ${id}`;
        return row?.['done'] === true;
      });
      const strange = await two.sql(
        id,
      )`select writer_id from relay_progress where writer_id <> ${id} and writer_id <> 0`;
      assert.deepEqual([...strange], [], 'no relay keeps its progress in the other database');
    }
    const versions = new Map<string, number[]>();
    for (const { key, value } of await readTopic(broker.brokers, topics.ledgerTransactions)) {
      const { data } = ledgerTransactionEvent.parse(JSON.parse(value)) as LedgerTransactionEvent;
      const known = versions.get(key) ?? [];
      if (!known.includes(data.version)) versions.set(key, [...known, data.version]);
    }
    const wanted = Array.from({ length: 10 }, (_, index) => index + 1);
    for (const id of ids) assert.deepEqual(versions.get(id), wanted, `wallet of database ${databaseOf(id)}`);
  });
});
