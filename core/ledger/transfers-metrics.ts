/** Metrics of transfers across lanes. Counters are plain numbers; they are copied when Prometheus asks. */
import type { TransferSweep, Transfers } from '@local-plus/actors';
import { Gauge, type Registry } from 'prom-client';

export function registerTransferMetrics(registry: Registry, transfers: Transfers, sweep: TransferSweep): void {
  const gauges: readonly (readonly [string, string, () => number])[] = [
    [
      'ledger_transfers_arrived_total',
      'Transfers across lanes that reached the other account.',
      () => transfers.counters.arrived,
    ],
    ['ledger_transfers_returned_total', 'Transfers across lanes that came back.', () => transfers.counters.returned],
    [
      'ledger_transfers_left_open_total',
      'Clients who were not told the end of a transfer.',
      () => transfers.counters.leftOpen,
    ],
    [
      'ledger_transfers_close_failures_total',
      'Settled transfers that the sweep has to close.',
      () => transfers.counters.closeFailures,
    ],
    ['ledger_transfers_swept_total', 'Open transfers that the sweep closed.', () => sweep.counters.closed],
    [
      'ledger_transfers_oldest_open_seconds',
      'For how long the oldest open transfer has been open; 0: none is old enough to be swept.',
      () => sweep.counters.oldestMs / 1_000,
    ],
    ['ledger_transfers_aside', 'Open transfers in trouble, set aside for a while.', () => sweep.aside],
    [
      'ledger_transfers_sweep_troubles_total',
      'Rounds of the sweep that the store ended.',
      () => sweep.counters.troubles,
    ],
  ];
  for (const [name, help, value] of gauges) {
    const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(value()) });
  }
}
