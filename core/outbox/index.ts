/**
 * What has to be announced and is not in the ledger's tail, and its way to Kafka. Owner of the table `outbox`.
 *
 * An event is written by the statement that makes it true: that statement takes {@link announce} as one more of its `with`
 * members, so that both become visible together, or neither does.
 */
import type { Log } from '@local-plus/actors';
import { type RequestId, type Topic, uuidV7 } from '@local-plus/contracts';
import { collectProducerMetrics, createProducer, type KafkaAccess } from '../platform/kafka/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { checkOutboxLimits, type OutboxLimits, outboxLimits } from './limits.ts';
import { Publisher, type PublisherStatus } from './publisher.ts';
import { type Backlog, PostgresOutboxStore } from './store.ts';

export interface NewEvent {
  readonly topic: Topic;
  /** What the events are about, and by whose id they keep their order. */
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** `event_type` of the schema in contracts. */
  readonly type: string;
  readonly schemaVersion: number;
  readonly requestId: RequestId;
  readonly traceparent: string | null;
  /** Never personal data. */
  readonly data: object;
}

/** The JSON text that {@link announce} takes. It must say what the event's schema in contracts says (`announcedEvents`). */
export function newEvent(event: NewEvent, nowMs: number): string {
  const { topic, aggregateType, aggregateId, type, schemaVersion, requestId, traceparent, data } = event;
  const id = uuidV7(nowMs);
  const payload = {
    event_id: id,
    occurred_at: new Date(nowMs).toISOString(),
    correlation_id: requestId,
    traceparent,
    event_type: type,
    schema_version: schemaVersion,
    data,
  };
  return JSON.stringify({ id, topic, aggregate_type: aggregateType, aggregate_id: aggregateId, payload });
}

/**
 * One more `with` member. The statement has to change, or lock, the row of the aggregate that the event is about, before
 * `from` has a row: that is what keeps an aggregate's events in order (publisher.ts, O2).
 *
 * @param parameter the number of the statement's parameter that has {@link newEvent}'s text
 * @param from the `with` member that has a row when the event is true: none, no event
 */
export function announce(parameter: number, from: string): string {
  return `announced_${parameter} as (
    insert into outbox (id, aggregate_type, aggregate_id, event_type, payload)
    select (e->>'id')::uuid, e->>'aggregate_type', e->>'aggregate_id', e->>'topic', e->'payload'
    from (select $${parameter}::text::jsonb as e) as event where exists (select from ${from}))`;
}

/** The JSON text that {@link announceEach} takes: events, each with the id of the row that makes it true. */
export function newEvents(events: readonly { readonly of: string; readonly event: NewEvent }[], nowMs: number): string {
  return `[${events.map(({ of, event }) => `{"of":"${of}","event":${newEvent(event, nowMs)}}`).join(',')}]`;
}

/**
 * As {@link announce}, for a statement that changes many rows: each event only if its row is there.
 *
 * @param parameter the number of the statement's parameter that has {@link newEvents}' text
 * @param from the `with` member whose column `id` names the rows
 */
export function announceEach(parameter: number, from: string): string {
  return `announced_${parameter} as (
    insert into outbox (id, aggregate_type, aggregate_id, event_type, payload)
    select (e->>'id')::uuid, e->>'aggregate_type', e->>'aggregate_id', e->>'topic', e->'payload'
    from (select (each->>'of')::uuid as row_id, each->'event' as e
        from jsonb_array_elements($${parameter}::text::jsonb) as given (each)) as event
    where row_id in (select id from ${from}))`;
}

export interface OutboxOptions extends KafkaAccess {
  /** Where the modules write. */
  readonly databaseUrl: string;
  /** Empty: there is no Kafka, and events wait in the table. */
  readonly brokers: readonly string[];
  /** How the broker knows this process. */
  readonly clientId: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<OutboxLimits>;
}

export interface OutboxService {
  /** Returns at once and never throws; Kafka and Postgres may come later. */
  start(): void;
  /** Never rejects. */
  stop(graceMs: number): Promise<void>;
  status(): PublisherStatus;
}

/** Publishes the outbox while no other process does. null: there is no Kafka. */
export function createOutbox(options: OutboxOptions): OutboxService | null {
  const { databaseUrl, metrics, limits: own, ...kafka } = options;
  if (kafka.brokers.length === 0) return null;
  const limits = { ...outboxLimits, ...own };
  checkOutboxLimits(limits);
  const producer = createProducer(kafka);
  const store = new PostgresOutboxStore(databaseUrl, limits);
  const ports = { clock: systemClock, timer: systemTimer, random: Math.random, log: kafka.log, limits };
  const publisher = new Publisher({ ...ports, store, producer });
  registerMetrics(metrics, publisher);
  collectProducerMetrics(metrics.registry, producer);
  return {
    start: () => publisher.start(),
    stop: (graceMs) => publisher.stop(graceMs),
    status: () => publisher.status,
  };
}

/** Of the backlog only the process that publishes knows. */
function registerMetrics(metrics: Metrics, publisher: Publisher): void {
  const ofBacklog = (read: (backlog: Backlog) => number) => () => {
    const { backlog } = publisher.status;
    return backlog === null ? [] : [{ value: read(backlog) }];
  };
  const total = (read: (status: PublisherStatus) => number) => () => [{ value: read(publisher.status) }];
  metrics.gauge('outbox_publishing', '1: this process publishes the outbox.', () => [
    { value: publisher.status.isPublishing ? 1 : 0 },
  ]);
  metrics.gauge(
    'outbox_waiting',
    'Events that are not published yet.',
    ofBacklog(({ waiting }) => waiting),
  );
  metrics.gauge(
    'outbox_lag_seconds',
    'Since the oldest event was written that is not published yet.',
    ofBacklog(({ lagMs }) => lagMs / 1_000),
  );
  metrics.counter(
    'outbox_published_total',
    'Events that Kafka has acknowledged.',
    total(({ publishedTotal }) => publishedTotal),
  );
  metrics.counter(
    'outbox_failures_total',
    'Attempts that failed.',
    total(({ failuresTotal }) => failuresTotal),
  );
  metrics.counter(
    'outbox_removed_total',
    'Published events that were removed.',
    total(({ removedTotal }) => removedTotal),
  );
}
