/**
 * The rotation of the configured keys: every customer's key that an older one wraps is wrapped by the newest. What is encrypted
 * under it stays as it is. When none is left, the older key can be taken out of the configuration: the log says so.
 *
 * Any number of processes may do it at once: a key is wrapped anew only as long as it is wrapped as it was read. Every process has
 * to know the new key before one wraps with it: so it is configured behind the old one first, and before it then. While some
 * processes have it behind and some before, keys go to and fro; they stay where all want them.
 */
import { type Clock, type Log, Sweep, SweepCounters, type Timer } from '@local-plus/actors';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { customerLimits } from './limits.ts';
import type { CustomerStore } from './store.ts';
import type { Vault } from './vault.ts';

export interface RewrapPorts {
  readonly store: Pick<CustomerStore, 'wrappedBy' | 'rewrap'>;
  readonly vault: Vault;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  readonly metrics: Metrics;
}

type Wrapped = Awaited<ReturnType<CustomerStore['wrappedBy']>>[number];

/** null: there is no older key. */
export function rewrapSweep({ store, vault, clock, timer, log, metrics }: RewrapPorts): Sweep<Wrapped> | null {
  const older = vault.olderKeyIds;
  if (older.length === 0) return null;
  let rewrapped = 0;
  let isTold = false;
  metrics.counter('customer_keys_rewrapped_total', 'Keys of customers that were wrapped by the newest key.', () => [
    { value: rewrapped },
  ]);
  const { rewrapMs, rewrapPauseMsMax, rewrapRowsMax, rewrapConcurrencyMax } = customerLimits;
  return new Sweep<Wrapped>({
    of: 'keys of customers',
    find: async (itemsMax) => {
      const found = await store.wrappedBy(older, itemsMax);
      // Another process may know only the older key yet, and wrap with it.
      if (found.length === 0 && !isTold) log.info('no customer is left under an older key', { key_ids: older });
      isTold = found.length === 0;
      return found;
    },
    idOf: ({ customer_id }) => customer_id,
    visit: async (row) => {
      try {
        await store.rewrap(row.customer_id, row, vault.rewrap(row.customer_id, row));
        rewrapped++;
        return 'done';
      } catch (error) {
        if (error instanceof DatabaseUnavailable) return 'trouble';
        log.error('the key of a customer cannot be wrapped anew', { id: row.customer_id, cause: String(error) });
        return 'aside';
      }
    },
    counters: new SweepCounters(),
    clock,
    timer,
    log,
    limits: {
      sweepMs: rewrapMs,
      pauseMsMax: rewrapPauseMsMax,
      asideMsMax: rewrapPauseMsMax,
      itemsMax: rewrapRowsMax,
      concurrencyMax: rewrapConcurrencyMax,
      asideMax: rewrapRowsMax,
    },
  });
}
