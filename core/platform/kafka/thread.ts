/**
 * The thread that speaks to Kafka: encoding, compression, checksums and sockets, away from the thread that answers requests.
 * It knows the producer and nothing else; who asks is `threaded-producer.ts`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { unpackTopic } from './frame.ts';
import { createProducer } from './producer.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread-messages.ts';

const port = parentPort;
if (port === null) throw new Error('this is a thread of core, not a program');

const say = (message: FromThread): void => port.postMessage(message);
const logging =
  (level: 'info' | 'warn' | 'error') =>
  (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    say({ type: 'log', level, event, fields });
const log = { info: logging('info'), warn: logging('warn'), error: logging('error') };
const producer = createProducer({ ...(workerData as ThreadOptions), log });

async function obey(message: ToThread): Promise<void> {
  switch (message.type) {
    case 'connect':
      return producer.connect();
    case 'send':
      return producer.send(message.topics.map(unpackTopic));
    case 'close':
      return producer.close();
  }
}

port.on('message', (message: ToThread) => {
  const done = (failure: string | null): void =>
    say({ type: 'done', id: message.id, failure, connected: producer.connected });
  obey(message).then(
    () => done(null),
    (cause: unknown) => done(cause instanceof Error ? cause.message : 'the Kafka client failed'),
  );
});
