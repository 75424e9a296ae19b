/** What the producer does where there is no Kafka. With a real one: core/relay/kafka.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { quiet } from '../../test/log.ts';
import { collectProducerMetrics } from './metrics.ts';
import { createProducer, type EventProducer, type ProducerOptions, PublishFailure } from './producer.ts';
import { createThreadedProducer } from './threaded-producer.ts';

const topics = [{ topic: 't', messages: [{ key: 'k', value: 'v' }] }];

function optionsTo(port: number): ProducerOptions {
  return { brokers: [`127.0.0.1:${port}`], clientId: 'test', log: quiet };
}

/** A server that accepts and never says a word. */
async function startSilence(): Promise<{ port: number; accepted: Promise<unknown>; close(): Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  const accepted = once(server, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accepted,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

for (const [kind, producerTo] of [
  ['the producer', (port: number) => createProducer(optionsTo(port))],
  ['the producer in a thread', (port: number) => createThreadedProducer(optionsTo(port))],
] as const) {
  describe(kind, () => {
    it('fails, again and again, where nobody listens', async () => {
      const silence = await startSilence();
      await silence.close();
      const producer = producerTo(silence.port);
      await assert.rejects(producer.connect(), PublishFailure);
      await assert.rejects(producer.send(topics), PublishFailure);
      assert.equal(producer.connected, false);
      assert.equal(producer.messagesTotal.size, 0);
      await producer.close();
    });

    it('ends a send under way when it is closed, and takes none afterwards', async () => {
      const silence = await startSilence();
      const producer = producerTo(silence.port);
      const sending = assert.rejects(producer.send(topics), PublishFailure);
      await silence.accepted;
      await producer.close();
      await sending;
      await assert.rejects(producer.send(topics), PublishFailure);
      await silence.close();
    });
  });
}

describe('the thread of a producer', () => {
  it('is replaced when it dies, and what it was asked fails', async () => {
    const said: string[] = [];
    const log = { ...quiet, warn: (event: string) => void said.push(event) };
    // No client can be made of this: the thread ends before it has heard anything.
    const producer = createThreadedProducer({ brokers: null as unknown as string[], clientId: 'test', log });
    await assert.rejects(producer.send(topics), PublishFailure);
    await assert.rejects(producer.connect(), PublishFailure);
    assert.equal(said.length, 2);
    assert.equal(producer.connected, false);
    await producer.close();
    await assert.rejects(producer.connect(), PublishFailure);
  });

  it('brings its log to the log of the process', async () => {
    const silence = await startSilence();
    await silence.close();
    const said: string[] = [];
    const log = { ...quiet, warn: (event: string) => void said.push(event) };
    const producer = createThreadedProducer({ ...optionsTo(silence.port), log });
    await assert.rejects(producer.connect(), PublishFailure);
    assert.ok(said.includes('the Kafka client says'), said.join());
    await producer.close();
  });
});

describe('producers', () => {
  it('are counted together', async () => {
    const registry = new Registry();
    const counting = (topic: string, total: number): EventProducer =>
      Object.create(createProducer(optionsTo(1)), { messagesTotal: { value: new Map([[topic, total]]) } });
    for (const [topic, total] of [
      ['a', 2],
      ['b', 3],
      ['a', 5],
    ] as const) {
      collectProducerMetrics(registry, counting(topic, total));
    }
    const text = await registry.metrics();
    assert.match(text, /^kafka_producer_messages_total\{topic="a"\} 7$/m);
    assert.match(text, /^kafka_producer_messages_total\{topic="b"\} 3$/m);
  });
});
