/**
 * How every client of ours, producer or consumer, is connected to Kafka.
 *
 * A consumer needs a watchdog of its own: kafkajs may stop fetching without an error and without leaving its group.
 * Whoever consumes compares its last fetch or heartbeat (`consumer.on(consumer.events.HEARTBEAT | FETCH)`) with the
 * clock, and replaces the consumer when both are too old. A producer has none: each send has a deadline (producer.ts).
 * `maxWaitTimeInMs: 100` on a consumer keeps its `disconnect()` from taking five seconds.
 */
import type { Log } from '@local-plus/actors';
import kafkajs, { type Kafka, type SASLOptions } from 'kafkajs';
import snappyCodec from 'kafkajs-snappy';
import { kafkaLimits } from './limits.ts';
import { kafkaLog } from './log.ts';

/** How the brokers know us, and we them. */
export interface KafkaAccess {
  /** TLS, by the authorities that Node trusts. */
  readonly ssl?: boolean;
  /** Never logged. */
  readonly sasl?: SASLOptions;
}

export interface KafkaOptions extends KafkaAccess {
  /** `host:port` each; at least one. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Log;
  readonly monotonicMs?: () => number;
}

// kafkajs keeps its codecs in one table of the process; without this entry neither side knows Snappy.
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = snappyCodec;

/** A configured client; connects nowhere by itself. */
export function kafkaClient(options: KafkaOptions): Kafka {
  return new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: kafkaLimits.connectMs,
    requestTimeout: kafkaLimits.requestMs,
    retry: {
      initialRetryTime: kafkaLimits.retryMsMin,
      maxRetryTime: kafkaLimits.retryMsMax,
      retries: kafkaLimits.retriesMax,
    },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: kafkaLog(options.log, options.monotonicMs ?? (() => performance.now())),
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    // A copy: kafkajs writes into it, and what it writes cannot go to a thread.
    ...(options.sasl === undefined ? {} : { sasl: { ...options.sasl } }),
  });
}
