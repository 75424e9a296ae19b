/**
 * The relay module: announces the ledger's tail on Kafka. Owner of `relay_progress`; the one reader of `transactions`
 * beside the ledger, because that table is the outbox.
 */
import type { CommittedBatch, Log } from '@local-plus/actors';
import type { Registry } from 'prom-client';
import {
  type Compression,
  collectProducerMetrics,
  createThreadedProducer,
  type KafkaAccess,
} from '../platform/kafka/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import type { Barrier } from './barriers.ts';
import { checkRelayLimits, type RelayLimits, relayLimits } from './limits.ts';
import { registerRelayMetrics } from './metrics.ts';
import { Relay, type RelayStatus } from './relay.ts';
import { PostgresRelayStore } from './store.ts';
import { Tending } from './tending.ts';

export type { Barrier } from './barriers.ts';
export type { RelayLimits } from './limits.ts';
export type { RelayMode, RelayStatus } from './relay.ts';

export interface RelayOptions extends KafkaAccess {
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
  /** Called before anything of these shards is committed by this process: their former owners' events come first. */
  expect(barriers: readonly Barrier[]): void;
  /** Of writers that nobody runs any more, the rest is published here; called again with all of them whenever that is looked at. */
  tend(writerIds: readonly number[]): void;
  status(): RelayStatus;
  /** Once per registry. */
  collectMetrics(registry: Registry): void;
}

export function createRelay(options: RelayOptions): RelayService {
  const { writerId, databaseUrl, limits: own, ...kafka } = options;
  const limits = { ...relayLimits, ...own };
  checkRelayLimits(limits);
  const producerOf = (clientId: string) => createThreadedProducer({ ...kafka, clientId });
  const producer = kafka.brokers.length === 0 ? null : producerOf(`local-plus-relay-${writerId}`);
  const ports = { clock: systemClock, timer: systemTimer, random: Math.random, log: kafka.log, limits };
  const relay = new Relay({ ...ports, writerId, store: new PostgresRelayStore(databaseUrl), producer });
  const tending = new Tending({
    ...ports,
    store: new PostgresRelayStore(databaseUrl),
    relayOf: (other) =>
      new Relay({
        ...ports,
        writerId: other,
        store: new PostgresRelayStore(databaseUrl),
        producer: producerOf(`local-plus-relay-${writerId}-for-${other}`),
      }),
  });
  return {
    start: () => relay.start(),
    stop: async (graceMs) => {
      await Promise.all([tending.stop(), relay.stop(graceMs)]);
    },
    offer: (batch) => relay.offer(batch),
    expect: (barriers) => relay.expect(barriers),
    tend: (writerIds) => {
      if (producer !== null) tending.tend(writerIds);
    },
    status: () => relay.status,
    collectMetrics: (registry) => {
      registerRelayMetrics(registry, relay, tending);
      if (producer) collectProducerMetrics(registry, producer);
    },
  };
}
