/**
 * Reads the ledger's two topics from their beginning, as a consumer of its own that commits nothing and leaves no
 * group behind. Waits, within bounds, until the relay has published what the ledger holds.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { topics } from '@local-plus/contracts';
import kafkajs, { type Admin, type Consumer, type EachBatchPayload, type Kafka } from 'kafkajs';
import { limits } from '../limits.ts';
import { balanceEvent, balanceEventOf, EventsCheck, ledgerEvent, ledgerEventOf } from './events.ts';

const { CompressionCodecs, CompressionTypes, Kafka: KafkaClient, logLevel } = kafkajs;
// Has no types of its own; kafkajs takes the codec as it is.
CompressionCodecs[CompressionTypes.Snappy] = createRequire(import.meta.url)('kafkajs-snappy');

export interface EventChecks {
  readonly ledger: EventsCheck;
  readonly balance: EventsCheck;
}

export function eventChecks(): EventChecks {
  return {
    ledger: new EventsCheck(topics.ledgerTransactions, ledgerEventOf),
    balance: new EventsCheck(topics.walletBalanceUpdated, balanceEventOf),
  };
}

/**
 * Feeds every event into `checks`: all that were there at the start, and then until both topics have `expected`
 * different ones, or nothing has come for a while. What is missing then is the checks' business.
 */
export async function readTopics(
  brokers: readonly string[],
  expected: number,
  checks: EventChecks,
  log: (line: string) => void,
): Promise<void> {
  const kafka = new KafkaClient({
    clientId: 'reconciler',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: limits.kafkaConnectMs,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 },
  });
  const groupId = `reconciler-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  try {
    await consumeAll(kafka, groupId, await endOffsets(admin), expected, checks, log);
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}

const topicNames = [topics.ledgerTransactions, topics.walletBalanceUpdated] as const;

/** `topic/partition` → the offset behind the last message that was there. */
async function endOffsets(admin: Admin): Promise<Map<string, bigint>> {
  const ends = new Map<string, bigint>();
  for (const topic of topicNames) {
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
      if (BigInt(high) > BigInt(low)) ends.set(`${topic}/${partition}`, BigInt(high));
    }
  }
  return ends;
}

async function consumeAll(
  kafka: Kafka,
  groupId: string,
  ends: Map<string, bigint>,
  expected: number,
  checks: EventChecks,
  log: (line: string) => void,
): Promise<void> {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, maxBytesPerPartition: 4 * 1_024 * 1_024 });
  let lastEventMs = performance.now();
  let fault: unknown = null;
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [...topicNames], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: async (payload) => {
        lastEventMs = performance.now();
        try {
          readBatch(payload, checks);
          const place = `${payload.batch.topic}/${payload.batch.partition}`;
          if (BigInt(payload.batch.lastOffset()) + 1n >= (ends.get(place) ?? 0n)) ends.delete(place);
        } catch (error) {
          // kafkajs would retry without end; what cannot be read ends the reading.
          fault = error;
        }
      },
    });
    await waitUntilDrained();
  } finally {
    await disconnect(consumer);
  }

  async function waitUntilDrained(): Promise<void> {
    const startedMs = performance.now();
    let saidMs = startedMs;
    for (;;) {
      if (fault !== null) throw new Error('an event cannot be read', { cause: fault });
      const seen = Math.min(checks.ledger.different, checks.balance.different);
      if (ends.size === 0 && seen >= expected) return;
      const nowMs = performance.now();
      if (nowMs - saidMs >= limits.progressMs) {
        saidMs = nowMs;
        log(`… ${seen} of ${expected} transactions seen on Kafka`);
      }
      if (nowMs - lastEventMs > limits.drainIdleMs || nowMs - startedMs > limits.drainMs) {
        log(`Waited ${Math.round((nowMs - startedMs) / 1_000)} s for Kafka; ${seen} of ${expected} transactions came.`);
        return;
      }
      await delay(100);
    }
  }
}

function readBatch({ batch }: EachBatchPayload, checks: EventChecks): void {
  const isLedger = batch.topic === topics.ledgerTransactions;
  for (const message of batch.messages) {
    const key = message.key?.toString() ?? '';
    const event: unknown = JSON.parse(message.value?.toString() ?? 'null');
    if (isLedger) checks.ledger.addEvent(ledgerEvent(key, event as Parameters<typeof ledgerEvent>[1]));
    else checks.balance.addEvent(balanceEvent(key, event as Parameters<typeof balanceEvent>[1]));
  }
}

async function disconnect(consumer: Consumer): Promise<void> {
  await consumer.stop();
  await consumer.disconnect();
}
