/** Metrics of the producers of a process. They count in plain numbers, which are read when Prometheus asks. */
import { Counter, type Registry } from 'prom-client';
import type { EventProducer } from './producer.ts';

const producersOf = new WeakMap<Registry, EventProducer[]>();

/** `kafka_producer_messages_total{topic}`, over all producers that were named for this registry. */
export function collectProducerMetrics(registry: Registry, producer: EventProducer): void {
  const known = producersOf.get(registry);
  if (known) {
    known.push(producer);
    return;
  }
  const producers = [producer];
  producersOf.set(registry, producers);
  const counter: Counter = new Counter({
    name: 'kafka_producer_messages_total',
    help: 'Messages that Kafka has acknowledged.',
    labelNames: ['topic'],
    registers: [registry],
    collect() {
      counter.reset();
      for (const each of producers) {
        for (const [topic, total] of each.messagesTotal) counter.inc({ topic }, total);
      }
    },
  });
}
