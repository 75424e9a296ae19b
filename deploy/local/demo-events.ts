/**
 * Listens to `ledger.transactions.v1` as any consumer would, and tells when a wallet's transaction has arrived.
 *
 * It starts at the end of every partition as it was before the first transaction: what follows is seen, all of it.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { topics } from '@local-plus/contracts';
import kafkajs from 'kafkajs';
import { z } from 'zod';
import { StartError } from './errors.ts';
import { limits } from './limits.ts';
import { within } from './waits.ts';

export interface Arrival {
  readonly atMs: number;
  readonly partition: number;
  readonly offset: string;
}

export interface LedgerListener {
  /** When the transaction of this wallet and version arrived; `null` when it does not within the bound. */
  arrivalOf(walletId: string, version: number): Promise<Arrival | null>;
  close(): Promise<void>;
}

const topic = topics.ledgerTransactions;

/** All that is needed here; the whole event is contracts'. */
const event = z.looseObject({ data: z.looseObject({ version: z.int() }) });

/** An untyped CommonJS package; kafkajs calls it to get a codec. */
const snappyCodec = createRequire(import.meta.url)('kafkajs-snappy') as () => unknown;

export async function listenToLedger(brokers: readonly string[]): Promise<LedgerListener> {
  // kafkajs leaves Snappy to a package; without it one compressed batch would end the consumer.
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = snappyCodec;
  const kafka = new kafkajs.Kafka({
    clientId: 'local-plus-demo',
    brokers: [...brokers],
    connectionTimeout: 3_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const groupId = `local-plus-demo-${randomUUID()}`;
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  const close = async (): Promise<void> => {
    await consumer.disconnect();
    await admin.disconnect();
  };
  const arrivals = new Map<string, Arrival>();
  const waiting = new Map<string, (arrival: Arrival) => void>();
  try {
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(topic);
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
    await consumer.run({
      autoCommit: false,
      async eachMessage({ partition, message }) {
        const parsed = event.safeParse(JSON.parse(message.value?.toString() ?? 'null'));
        if (!parsed.success) return;
        const id = `${message.key?.toString() ?? ''}/${parsed.data.data.version}`;
        // Delivered at least once: the first arrival counts.
        if (arrivals.has(id)) return;
        const arrival = { atMs: performance.now(), partition, offset: message.offset };
        arrivals.set(id, arrival);
        waiting.get(id)?.(arrival);
      },
    });
    // run() may return before the group is joined, when the coordinator is still being elected.
    if ((await within(joined, limits.demoEventMs)) === 'timeout') {
      throw new StartError(`Kafka let no consumer group be joined within ${limits.demoEventMs / 1_000} s.`);
    }
    for (const end of ends) consumer.seek({ topic, partition: end.partition, offset: end.offset });
  } catch (error) {
    await close();
    throw error;
  }

  return {
    async arrivalOf(walletId, version) {
      const id = `${walletId}/${version}`;
      const arrived = new Promise<Arrival>((resolve) => waiting.set(id, resolve));
      const arrival = arrivals.get(id) ?? (await within(arrived, limits.demoEventMs));
      waiting.delete(id);
      return arrival === 'timeout' ? null : arrival;
    },
    close,
  };
}
