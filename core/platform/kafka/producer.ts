/**
 * ⑩ The producer: idempotent, acknowledged by all in-sync replicas, one request in flight per broker.
 *
 * P1 A send resolves only when every message of it is acknowledged.
 * P2 After a failed or hung send its producer is never used again: the sequence of an idempotent producer is in doubt
 *    then. The next send connects a new one, with a new producer id. What of the failed send arrived, or still arrives,
 *    is doubled by the caller's retry, never reordered against what the caller sent before it.
 * P3 Nothing here waits without an end, and nothing tries for ever: pacing the next try is the caller's.
 */
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { type KafkaOptions, kafkaClient } from './client.ts';
import { kafkaLimits } from './limits.ts';
import { keyPartitioner } from './partitioner.ts';

export type Compression = 'none' | 'snappy' | 'gzip';

export interface ProducerOptions extends KafkaOptions {
  /** Snappy when absent; see {@link compressionTypes} for what each costs. */
  readonly compression?: Compression;
}

export interface EventMessage {
  /** What orders: messages of one key stay in order. */
  readonly key: string;
  readonly value: string;
  readonly headers?: Record<string, string>;
}

export interface TopicMessages {
  readonly topic: string;
  readonly messages: EventMessage[];
}

export interface EventProducer {
  /** Whether the last thing that was tried succeeded. */
  readonly connected: boolean;
  /** Acknowledged messages, per topic. */
  readonly messagesTotal: ReadonlyMap<string, number>;
  /** Connects, if it is not: a send does so by itself. Rejects with a {@link PublishFailure}. */
  connect(): Promise<void>;
  /** Sends all or rejects with a {@link PublishFailure}; then any part of it may have arrived. */
  send(topics: readonly TopicMessages[]): Promise<void>;
  /** Ends within {@link kafkaLimits.closeMs}; a send under way fails. */
  close(): Promise<void>;
}

/** What was sent may have arrived or not: send it again. */
export class PublishFailure extends Error {
  override readonly name = 'PublishFailure';
}

/**
 * Snappy is in JavaScript, and yet costs the thread no more than none at all (27 to 30 µs per transaction of two messages,
 * 128 to a request), because kafkajs' checksum is, too, and has five times less to read: 213 bytes instead of 1,160.
 * gzip takes 130 bytes, the same of this thread, and 13 µs more of another.
 */
const compressionTypes: Readonly<Record<Compression, number>> = {
  none: kafkajs.CompressionTypes.None,
  snappy: kafkajs.CompressionTypes.Snappy,
  gzip: kafkajs.CompressionTypes.GZIP,
};

export function createProducer(options: ProducerOptions): EventProducer {
  return new RenewingProducer(kafkaClient(options), options.compression ?? 'snappy');
}

class RenewingProducer implements EventProducer {
  readonly #kafka: Kafka;
  readonly #compression: number;
  readonly #messagesTotal = new Map<string, number>();
  /** Ends the sends under way. */
  readonly #underWay = new Set<(cause: Error) => void>();
  #producer: Producer | null = null;
  #connecting: Promise<void> | null = null;
  #connected = false;
  #closed = false;

  constructor(kafka: Kafka, compression: Compression) {
    this.#kafka = kafka;
    this.#compression = compressionTypes[compression];
  }

  get connected(): boolean {
    return this.#connected;
  }

  get messagesTotal(): ReadonlyMap<string, number> {
    return this.#messagesTotal;
  }

  connect(): Promise<void> {
    return this.#use(async () => undefined);
  }

  async send(topics: readonly TopicMessages[]): Promise<void> {
    const compression = this.#compression;
    await this.#use(async (producer) => {
      await producer.sendBatch({ acks: -1, compression, topicMessages: [...topics] });
    });
    for (const { topic, messages } of topics) {
      this.#messagesTotal.set(topic, (this.#messagesTotal.get(topic) ?? 0) + messages.length);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connected = false;
    const producer = this.#producer;
    this.#producer = null;
    for (const end of this.#underWay) end(new Error('the producer is closed'));
    if (producer) await disconnect(producer);
  }

  /** P2. */
  async #use(work: (producer: Producer) => Promise<void>): Promise<void> {
    if (this.#closed) throw new PublishFailure('the producer is closed');
    this.#producer ??= this.#create();
    this.#connecting ??= this.#producer.connect();
    const [producer, connecting] = [this.#producer, this.#connecting];
    try {
      await this.#bounded(connecting.then(() => work(producer)));
      this.#connected = !this.#closed;
    } catch (cause) {
      this.#discard(producer);
      throw new PublishFailure(cause instanceof Error ? cause.message : 'the Kafka client failed', { cause });
    }
  }

  #create(): Producer {
    return this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: keyPartitioner,
      retry: {
        initialRetryTime: kafkaLimits.retryMsMin,
        maxRetryTime: kafkaLimits.retryMsMax,
        retries: kafkaLimits.retriesMax,
      },
    });
  }

  /** P3. Until it is done, its time is over, or the producer is closed. */
  #bounded(sending: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        this.#underWay.delete(end);
        done();
      };
      const end = (cause: unknown): void => settle(() => reject(cause));
      const { sendMs } = kafkaLimits;
      const timer = setTimeout(() => end(new Error(`Kafka did not acknowledge within ${sendMs} ms`)), sendMs);
      this.#underWay.add(end);
      sending.then(() => settle(resolve), end);
    });
  }

  /** P2. Its end is not waited for. */
  #discard(producer: Producer): void {
    if (this.#producer !== producer) return;
    this.#producer = null;
    this.#connecting = null;
    this.#connected = false;
    void disconnect(producer);
  }
}

/** Never rejects: a client that cannot even say goodbye is left to its own time-outs, and nothing depends on it. */
function disconnect(producer: Producer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, kafkaLimits.closeMs);
    const ended = (): void => {
      clearTimeout(timer);
      resolve();
    };
    producer.disconnect().then(ended, ended);
  });
}
