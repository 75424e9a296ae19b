import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { topics } from '@local-plus/contracts';
import kafkajs from 'kafkajs';
import { AbsentError } from './errors.ts';
import { allTopics, type KafkaServer, startKafka } from './kafka.ts';
import { limits } from './limits.ts';
import { freePorts } from './ports.ts';
import { testFolder } from './test-folder.ts';
import { within } from './waits.ts';

function clientOf(server: KafkaServer): kafkajs.Kafka {
  return new kafkajs.Kafka({
    brokers: [...server.brokers],
    connectionTimeout: 1_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 60 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

async function readOne(client: kafkajs.Kafka, topic: string): Promise<string | undefined> {
  const consumer = client.consumer({ groupId: 'test', maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const first = new Promise<string | undefined>((resolve, reject) => {
    consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) }).catch(reject);
  });
  const value = await within(first, limits.kafkaReadyMs);
  await consumer.disconnect();
  return value;
}

test('a broker has every topic, and after kill -9 and a restart the message that it acknowledged', async (context) => {
  const folder = testFolder();
  const [port, controllerPort] = (await freePorts(2)) as [number, number];
  let server: KafkaServer;
  try {
    server = await startKafka({ dataDir: join(folder, 'kafka'), port, controllerPort });
  } catch (error) {
    if (error instanceof AbsentError) return context.skip(error.message);
    throw error;
  }
  context.after(() => server.stop());
  const client = clientOf(server);

  const admin = client.admin();
  await admin.connect();
  context.after(() => admin.disconnect());
  const { topics: described } = await admin.fetchTopicMetadata({ topics: allTopics() });
  assert.deepEqual(
    described.map(({ name, partitions }) => [name, partitions.length]).sort(),
    allTopics()
      .map((name) => [name, 3])
      .sort(),
  );

  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic: topics.ledgerTransactions, acks: -1, messages: [{ key: 'wallet', value: 'kept' }] });
  await producer.disconnect();
  await server.kill();
  assert.equal(server.pid, null);
  await server.start();
  assert.equal(await readOne(client, topics.ledgerTransactions), 'kept');
});
