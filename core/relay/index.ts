/**
 * The relay module: announces the ledger's tail on Kafka. Owner of `relay_progress`; the one reader of `transactions`
 * beside the ledger, because that table is the outbox.
 */
import type { CommittedBatch, Log } from '@local-plus/actors';
import type { Registry } from 'prom-client';
import {
  type Compression,
  collectProducerMetrics,
  createProducer,
  type KafkaOptions,
} from '../platform/kafka/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { checkRelayLimits, type RelayLimits, relayLimits } from './limits.ts';
import { registerRelayMetrics } from './metrics.ts';
import { Relay, type RelayStatus } from './relay.ts';
import { PostgresRelayStore } from './store.ts';

export type { RelayLimits } from './limits.ts';
export type { RelayMode, RelayStatus } from './relay.ts';

export interface RelayOptions extends Pick<KafkaOptions, 'ssl' | 'sasl'> {
  /** Whose batches; 0 … 1,023. */
  readonly writerId: number;
  /** Where the writer writes: the primary, not a replica. */
  readonly databaseUrl: string;
  /** Empty: there is no Kafka, and events wait in the ledger. */
  readonly brokers: readonly string[];
  readonly log: Log;
  readonly compression?: Compression;
  readonly limits?: Partial<RelayLimits>;
}

export interface RelayService {
  /** Returns at once and never throws; Kafka and Postgres may come later. */
  start(): void;
  /** Publishes what it can within `graceMs`, writes its progress down, closes its connections. Never rejects. */
  stop(graceMs: number): Promise<void>;
  /** Called in batch order, right after each commit, by the process that is the writer. Never throws. */
  offer(batch: CommittedBatch): void;
  status(): RelayStatus;
  /** Once per registry. */
  collectMetrics(registry: Registry): void;
}

export function createRelay(options: RelayOptions): RelayService {
  const { writerId, databaseUrl, brokers, log, compression, ssl, sasl } = options;
  const limits = { ...relayLimits, ...options.limits };
  checkRelayLimits(limits);
  const producer =
    brokers.length === 0
      ? null
      : createProducer({
          brokers,
          clientId: `local-plus-relay-${writerId}`,
          log,
          ...(compression === undefined ? {} : { compression }),
          ...(ssl === undefined ? {} : { ssl }),
          ...(sasl === undefined ? {} : { sasl }),
        });
  const relay = new Relay({
    writerId,
    store: new PostgresRelayStore(databaseUrl),
    producer,
    clock: systemClock,
    timer: systemTimer,
    random: Math.random,
    log,
    limits,
  });
  return {
    start: () => relay.start(),
    stop: (graceMs) => relay.stop(graceMs),
    offer: (batch) => relay.offer(batch),
    status: () => relay.status,
    collectMetrics: (registry) => {
      registerRelayMetrics(registry, relay);
      if (producer) collectProducerMetrics(registry, producer);
    },
  };
}
