/**
 * The relay between a real Postgres and a real Kafka, either of which may be gone: every transaction arrives, per
 * account in version order and without gaps once doubles are removed (I5), under the id that the ledger gives it.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommittedBatch, type PostedRow, runtimeLimits } from '@local-plus/actors';
import {
  type AccountId,
  balanceEventId,
  type IdempotencyKey,
  type LedgerTransactionEvent,
  ledgerTransactionEvent,
  topics,
  transactionId,
  uuidV7,
  type WalletBalanceUpdatedEvent,
  walletBalanceUpdatedEvent,
} from '@local-plus/contracts';
import { Registry } from 'prom-client';
import { PostgresLedgerStore, storeDefaults } from '../ledger/store.ts';
import { createProducer } from '../platform/kafka/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { type ReceivedRecord, readTopic, startBroker, type TestBroker } from '../test/kafka.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { createRelay, type RelayService } from './index.ts';
import { relayLimits } from './limits.ts';
import { Relay } from './relay.ts';
import { PostgresRelayStore } from './store.ts';
import { postedRow } from './test/stage.ts';

const WAIT_MS_MAX = 120_000;

let database: TestDatabase;
let broker: TestBroker;
before(async () => {
  [database, broker] = await Promise.all([startDatabase(), startBroker()]);
  // A broker that has just begun may still be choosing its leaders: a request that meets that is sent twice, in part.
  await eventually('every partition has a leader', () =>
    Promise.all(
      [topics.ledgerTransactions, topics.walletBalanceUpdated].map((topic) => readTopic(broker.brokers, topic)),
    ).then(
      () => true,
      () => false,
    ),
  );
});

after(async () => {
  await broker.close();
  await database.close();
});

const until = (holds: () => boolean, what: string): Promise<void> => eventually(what, holds, WAIT_MS_MAX);

/** Commits as the ledger does: its store, its statement, one batch after the other. */
class Writer {
  readonly writerId: number;
  readonly #store: PostgresLedgerStore;
  readonly #accounts = Array.from({ length: 25 }, () => ({ id: uuidV7<AccountId>(Date.now()), version: 0 }));
  #epoch = 0;
  #batch = 0;
  #rows = 0;

  constructor(writerId: number) {
    this.writerId = writerId;
    this.#store = new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults });
  }

  async claim(): Promise<void> {
    const position = await this.#store.claim(this.writerId);
    this.#epoch = position.epoch;
    this.#batch = position.batch;
  }

  async commit(rows: number): Promise<CommittedBatch> {
    const posted = Array.from({ length: rows }, () => this.#row());
    const { writerId } = this;
    this.#batch++;
    const batch = { writerId, epoch: this.#epoch, batch: this.#batch, posted, refused: [], isOptimistic: false };
    const applied = await this.#store.commit(batch);
    assert.ok(applied);
    return { writerId, batch: this.#batch, posted };
  }

  close(): Promise<void> {
    return this.#store.reset('writes');
  }

  get accounts(): ReadonlyMap<AccountId, number> {
    return new Map(this.#accounts.map(({ id, version }) => [id, version]));
  }

  #row(): PostedRow {
    const account = this.#accounts[this.#rows++ % this.#accounts.length] as { id: AccountId; version: number };
    account.version++;
    const { facts, posting, hash } = postedRow(account.id, account.version, `Bestellung "${this.#rows}" 🎁`);
    return {
      hash,
      facts: {
        ...facts,
        idempotencyKey: `${account.id}-${account.version}` as IdempotencyKey,
        requestId: uuidV7(Date.now()),
        traceparent: this.#rows % 2 === 0 ? `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` : null,
      },
      posting: { ...posting, occurredAtMs: Date.now() },
    };
  }
}

function relayFor(writer: Writer, limits: Parameters<typeof createRelay>[0]['limits'] = {}): RelayService {
  const { brokers } = broker;
  return createRelay({ writerId: writer.writerId, databaseUrl: database.url, brokers, log: quiet, limits });
}

interface Arrived {
  readonly records: number;
  readonly ids: ReadonlySet<string>;
}

/** I5 for one topic: each account's versions are 1, 2, 3 … up to its last, after removing doubles. */
function assertComplete(writer: Writer, records: readonly ReceivedRecord[]): Arrived {
  const ids = new Set<string>();
  const versions = new Map<string, number>();
  let count = 0;
  for (const { key, value } of records) {
    if (!writer.accounts.has(key as AccountId)) continue;
    count++;
    const event: LedgerTransactionEvent | WalletBalanceUpdatedEvent = JSON.parse(value);
    if (ids.has(event.event_id)) continue;
    ids.add(event.event_id);
    assert.equal(event.data.version, (versions.get(key) ?? 0) + 1, `account ${key} in order`);
    versions.set(key, event.data.version);
  }
  for (const [accountId, version] of writer.accounts) assert.equal(versions.get(accountId) ?? 0, version);
  return { records: count, ids };
}

/** Both topics are complete, and every id is what the ledger's row says. */
async function assertArrived(writer: Writer): Promise<Arrived> {
  const transactions = assertComplete(writer, await readTopic(broker.brokers, topics.ledgerTransactions));
  const balances = assertComplete(writer, await readTopic(broker.brokers, topics.walletBalanceUpdated));
  const rows = await database.sql<{ batch: string; place: string; ms: string }[]>`
    select (seq >> 10) & ${String(2n ** 43n - 1n)}::bigint as batch, seq & 1023 as place,
      (extract(epoch from occurred_at) * 1000)::bigint as ms
    from transactions where seq >> 53 = ${writer.writerId}`;
  assert.equal(transactions.ids.size, rows.length);
  for (const { batch, place, ms } of rows) {
    const position = { writerId: writer.writerId, batch: Number(batch), place: Number(place) };
    const id = transactionId(Number(ms), position);
    assert.ok(transactions.ids.has(id), 'the event has the id of the row');
    assert.ok(balances.ids.has(balanceEventId(id)), 'and so has the other');
  }
  return transactions;
}

async function progressOf(writer: Writer): Promise<number> {
  return new PostgresRelayStore(database.url).progress(writer.writerId);
}

describe('the relay on real parts', () => {
  it('publishes what is offered, once, from memory, in the shape of the contracts', async () => {
    const writer = new Writer(1);
    await writer.claim();
    // Whoever looks at the table between a commit and its offer may read the batch there.
    const relay = relayFor(writer, { pollMs: WAIT_MS_MAX });
    const registry = new Registry();
    relay.collectMetrics(registry);
    relay.start();
    await until(() => relay.status().mode !== 'starting', 'it has read its progress');
    for (const rows of [1, 40, 0, 300, 7, 1]) relay.offer(await writer.commit(rows));
    await until(() => relay.status().lagBatches === 0, 'published');
    const arrived = await assertArrived(writer);
    assert.equal(arrived.records, 349);
    const metrics = await registry.metrics();
    assert.match(metrics, /^relay_published_total\{source="memory"\} 349$/m);
    assert.match(metrics, /^relay_published_total\{source="table"\} 0$/m);
    assert.match(metrics, /^kafka_producer_messages_total\{topic="ledger\.transactions\.v1"\} 349$/m);
    assert.match(metrics, /^relay_mode\{mode="memory"\} 1$/m);
    assert.match(metrics, /^relay_lag_transactions 0$/m);
    await relay.stop(5_000);
    assert.equal(await progressOf(writer), 6);
    for (const { value, headers } of await readTopic(broker.brokers, topics.ledgerTransactions)) {
      const event = ledgerTransactionEvent.parse(JSON.parse(value));
      assert.deepEqual(headers, { event_type: event.event_type, schema_version: '1' });
    }
    for (const { value } of await readTopic(broker.brokers, topics.walletBalanceUpdated)) {
      walletBalanceUpdatedEvent.parse(JSON.parse(value));
    }
    await writer.close();
  });

  it('goes on after a restart: what nobody offered comes from the table, then memory takes over', async () => {
    const writer = new Writer(2);
    await writer.claim();
    const first = relayFor(writer);
    first.start();
    for (let batch = 0; batch < 30; batch++) first.offer(await writer.commit(20));
    await first.stop(0);
    for (let batch = 0; batch < 30; batch++) await writer.commit(100);
    const second = relayFor(writer);
    second.start();
    for (let batch = 0; batch < 30; batch++) second.offer(await writer.commit(20));
    await until(() => second.status().mode !== 'starting' && second.status().lagBatches === 0, 'it catches up');
    second.offer(await writer.commit(20));
    await until(() => second.status().lagBatches === 0 && second.status().mode === 'memory', 'memory takes over');
    await second.stop(5_000);
    await assertArrived(writer);
    assert.equal(await progressOf(writer), 91);
    await writer.close();
  });

  it('repeats, and only that, when it dies between publishing and writing its progress', async () => {
    const writer = new Writer(3);
    await writer.claim();
    const store = new PostgresRelayStore(database.url);
    store.saveProgress = () => new Promise(() => undefined);
    const dying = new Relay({
      writerId: writer.writerId,
      store,
      producer: createProducer({ brokers: broker.brokers, clientId: 'dying', log: quiet }),
      clock: systemClock,
      timer: systemTimer,
      random: Math.random,
      log: quiet,
      limits: relayLimits,
    });
    dying.start();
    for (let batch = 0; batch < 10; batch++) dying.offer(await writer.commit(50));
    await until(() => dying.status.lagBatches === 0, 'published');
    await dying.stop(0);
    assert.equal(await progressOf(writer), 0);
    const relay = relayFor(writer);
    relay.start();
    await until(() => relay.status().cursor === 10, 'published again');
    await relay.stop(5_000);
    const arrived = await assertArrived(writer);
    assert.equal(arrived.records, 1_000);
    await writer.close();
  });

  it('stays right beside a second relay of the same writer', async () => {
    const writer = new Writer(4);
    await writer.claim();
    const relays = [relayFor(writer), relayFor(writer, { pollMs: 20 })];
    for (const relay of relays) relay.start();
    for (let batch = 0; batch < 100; batch++) relays[0]?.offer(await writer.commit(10));
    for (const relay of relays) await until(() => relay.status().cursor === 100, 'both have published');
    await Promise.all(relays.map((relay) => relay.stop(5_000)));
    const arrived = await assertArrived(writer);
    assert.ok(arrived.records >= 1_000 && arrived.records <= 2_000);
    assert.equal(await progressOf(writer), 100);
    await writer.close();
  });

  it('holds on while Kafka is killed: bounded memory, then all of it in order', async () => {
    const writer = new Writer(5);
    await writer.claim();
    const said: string[] = [];
    const say = (event: string) => void said.push(event);
    const log = { info: say, warn: say, error: say };
    const { brokers } = broker;
    const relay = createRelay({ writerId: 5, databaseUrl: database.url, brokers, log });
    relay.start();
    for (let batch = 0; batch < 10; batch++) relay.offer(await writer.commit(500));
    await broker.server.kill();
    for (let batch = 0; batch < 90; batch++) {
      relay.offer(await writer.commit(500));
      assert.ok(relay.status().memoryRows <= relayLimits.memoryRowsMax);
    }
    await until(() => !relay.status().connected, 'it notices');
    assert.ok(relay.status().lagTransactions >= 45_000);
    await broker.server.start();
    await until(() => relay.status().lagBatches === 0, 'it drains');
    relay.offer(await writer.commit(500));
    await until(() => relay.status().lagBatches === 0, 'and goes on');
    await relay.stop(5_000);
    const arrived = await assertArrived(writer);
    assert.equal(arrived.ids.size, 50_500);
    assert.equal(said.filter((event) => event.startsWith('Kafka is away')).length, 1, 'said once');
    assert.equal(said.filter((event) => event.startsWith('Kafka is back')).length, 1, 'said once');
    await writer.close();
  });

  it('starts without Kafka, and without Postgres, and takes up its work when they come', async () => {
    const writer = new Writer(6);
    await writer.claim();
    const committed: CommittedBatch[] = [];
    for (let batch = 0; batch < 5; batch++) committed.push(await writer.commit(10));
    await writer.close();
    await Promise.all([broker.server.stop(), database.server.stop()]);
    const relay = relayFor(writer);
    relay.start();
    for (const batch of committed) relay.offer(batch);
    await delay(300);
    assert.equal(relay.status().mode, 'starting');
    await database.server.start();
    await until(() => relay.status().mode !== 'starting', 'it has read its progress');
    assert.equal(relay.status().connected, false);
    await broker.server.start();
    await until(() => relay.status().lagBatches === 0, 'published');
    await relay.stop(5_000);
    await assertArrived(writer);
  });

  it('leaves everything in the ledger where there is no Kafka', async () => {
    const writer = new Writer(7);
    await writer.claim();
    const relay = createRelay({ writerId: 7, databaseUrl: database.url, brokers: [], log: quiet });
    relay.start();
    for (let batch = 0; batch < 3; batch++) relay.offer(await writer.commit(runtimeLimits.batchCommandsMax));
    await until(() => relay.status().mode === 'off', 'it has read its progress');
    const { lagBatches, lagTransactions, memoryRows } = relay.status();
    assert.deepEqual(
      { lagBatches, lagTransactions, memoryRows },
      { lagBatches: 3, lagTransactions: 3_000, memoryRows: 0 },
    );
    await relay.stop(1_000);
    assert.equal(await progressOf(writer), 0);
    await writer.close();
  });
});
