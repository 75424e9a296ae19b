/** The relay's metrics. Counters live in the relay as plain numbers; they are copied when Prometheus asks. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Relay, RelayMode } from './relay.ts';
import type { Tending } from './tending.ts';

const modes: readonly RelayMode[] = ['starting', 'memory', 'table', 'off', 'stopped'];

export function registerRelayMetrics(registry: Registry, relay: Relay, tending: Tending): void {
  const registers = [registry];
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['relay_lag_transactions', 'Committed transactions that are not on Kafka yet.', () => relay.status.lagTransactions],
    ['relay_lag_batches', 'Committed batches that are not on Kafka yet.', () => relay.status.lagBatches],
    ['relay_memory_rows', 'Transactions that wait in memory.', () => relay.status.memoryRows],
    ['relay_barriers', 'Shards whose former owner has not published all.', () => relay.status.barriers],
    ['relay_connected', '1 while Kafka acknowledges.', () => (relay.status.connected ? 1 : 0)],
  ];
  for (const [name, help, value] of gauges) {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) });
  }
  const mode: Gauge = new Gauge({
    name: 'relay_mode',
    help: '1 for what the relay follows.',
    labelNames: ['mode'],
    registers,
    collect() {
      for (const each of modes) mode.set({ mode: each }, relay.status.mode === each ? 1 : 0);
    },
  });
  const { counters } = relay;
  registerCounter(
    registry,
    'relay_publish_failures_total',
    'Failed tries to reach Kafka.',
    () => counters.publishFailures,
  );
  registerCounter(registry, 'relay_table_failures_total', 'Failed reads of the ledger.', () => counters.tableFailures);
  registerCounter(
    registry,
    'relay_tended_total',
    'Writers that nobody runs any more, of which this process published the rest.',
    () => tending.tendedTotal,
  );
  registerCounter(
    registry,
    'relay_rows_dropped_total',
    'Rows left to the table, memory being full.',
    () => counters.rowsDropped,
  );
  const published: Counter = new Counter({
    name: 'relay_published_total',
    help: 'Transactions that Kafka has acknowledged.',
    labelNames: ['source'],
    registers,
    collect() {
      published.reset();
      published.inc({ source: 'memory' }, counters.published.memory);
      published.inc({ source: 'table' }, counters.published.table);
    },
  });
  const publishTime = new Histogram({
    name: 'relay_publish_seconds',
    help: 'From building a produce request to its acknowledgement.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  counters.observe = (publishMs) => publishTime.observe(publishMs / 1_000);
}

function registerCounter(registry: Registry, name: string, help: string, read: () => number): void {
  const counter: Counter = new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      counter.reset();
      counter.inc(read());
    },
  });
}
