/** A real broker of its own for a test file, and a reader of everything that a topic holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts, type KafkaServer, startKafka } from '@local-plus/deploy';
import { kafkaClient } from '../platform/kafka/index.ts';
import { quiet } from './log.ts';

export interface TestBroker {
  /** Where clients have to say who they are, by {@link SASL}. */
  readonly namedBrokers: readonly string[];
  readonly brokers: readonly string[];
  readonly server: KafkaServer;
  close(): Promise<void>;
}

export interface ReceivedRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition: number;
}

/** How long one reading of a topic may take. */
const READ_MS_MAX = 60_000;

export const SASL = { username: 'local-plus', password: 'not-to-be-seen-anywhere' } as const;

export async function startBroker(): Promise<TestBroker> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'local-plus-kafka-'));
  const [port = 0, controllerPort = 0, saslPort = 0] = await freePorts(3);
  const server = await startKafka({
    dataDir: path.join(dataDir, 'kafka'),
    port,
    controllerPort,
    sasl: { ...SASL, port: saslPort },
  });
  return {
    brokers: server.brokers,
    namedBrokers: [`127.0.0.1:${saslPort}`],
    server,
    close: async () => {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Every record of the topic as it stands now, in the order of each partition. */
export async function readTopic(brokers: readonly string[], topic: string): Promise<ReceivedRecord[]> {
  const kafka = kafkaClient({ brokers, clientId: 'local-plus-test', log: quiet });
  const admin = kafka.admin();
  await admin.connect();
  const ends = (await admin.fetchTopicOffsets(topic)).filter(({ low, high }) => low !== high);
  await admin.disconnect();
  const awaited = new Map(ends.map(({ partition, high }) => [partition, BigInt(high)]));
  const records: ReceivedRecord[] = [];
  if (awaited.size === 0) return records;
  const consumer = kafka.consumer({ groupId: `local-plus-test-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${topic} was not read within ${READ_MS_MAX} ms`)), READ_MS_MAX);
      const eachBatch = async ({ batch }: { batch: import('kafkajs').Batch }): Promise<void> => {
        for (const { key, value, headers = {} } of batch.messages) {
          const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
          const { partition } = batch;
          records.push({ key: String(key), value: String(value), headers: Object.fromEntries(texts), partition });
        }
        if (BigInt(batch.lastOffset()) + 1n >= (awaited.get(batch.partition) ?? 0n)) awaited.delete(batch.partition);
        if (awaited.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return records;
}
