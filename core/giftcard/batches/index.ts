/**
 * Bulk issue of gift cards, as jobs. Owner of `giftcard_batches` and `giftcard_batch_chunks`.
 *
 * Codes stand here only encrypted to the merchant's own key, and only until the merchant has confirmed that they have arrived,
 * or the time for that is over.
 */
import { Sweep, SweepCounters } from '@local-plus/actors';
import type { Handlers } from '../../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../../platform/postgres/index.ts';
import type { Log, Metrics } from '../../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../../platform/time/index.ts';
import type { CodesModule } from '../codes/index.ts';
import { batchHandlers } from './handler.ts';
import { type BatchLimits, batchLimits } from './limits.ts';
import type { CardIssuer, CatalogItems, Programs } from './ports.ts';
import { BatchStore } from './store.ts';
import { BatchWorker } from './worker.ts';

export interface BatchesOptions {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly programs: Programs;
  readonly catalog: CatalogItems;
  readonly codes: Pick<CodesModule, 'book' | 'isConfigured'>;
  readonly cards: CardIssuer;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: BatchLimits;
}

export interface BatchesModule {
  readonly handlers: Handlers;
  /** Jobs are worked on from here on, where core has a key for codes. */
  start(): void;
  /** Resolves when nothing of it is under way: after a chunk. */
  stop(): Promise<void>;
}

export function createBatchesModule(options: BatchesOptions): BatchesModule {
  const { database, programs, catalog, codes, cards, log, metrics, limits = batchLimits } = options;
  const store = new BatchStore(database);
  const ports = { store, clock: systemClock, timer: systemTimer, log, limits };
  const worker = new BatchWorker({ ...ports, codes: codes.book, cards });
  const files = fileSweep(store, limits, log);
  metrics.counter('giftcard_batch_cards_total', 'Cards of bulk issues that this process settled.', () => [
    { labels: { outcome: 'issued' }, value: worker.counters.issued },
    { labels: { outcome: 'refused' }, value: worker.counters.refused },
  ]);
  return {
    handlers: batchHandlers({ store, programs, catalog, hasCodes: codes.isConfigured, nowMs: Date.now, limits }),
    start() {
      files.start();
      if (codes.isConfigured) worker.start();
    },
    async stop() {
      await Promise.all([worker.stop(), files.stop()]);
    },
  };
}

/** Deletes the codes that nobody came for. */
function fileSweep(store: BatchStore, limits: BatchLimits, log: Log) {
  return new Sweep({
    of: 'files of bulk issues',
    find: (filesMax) => store.expired(filesMax),
    idOf: ({ id }) => id,
    async visit({ id }) {
      try {
        await store.expire(id);
        return 'done';
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable)) log.error('codes cannot be deleted', { batch_id: id, error });
        return 'trouble';
      }
    },
    counters: new SweepCounters(),
    clock: systemClock,
    timer: systemTimer,
    log,
    limits: limits.files,
  });
}
