/**
 * The liability module: what programs owe their customers, by UTC day. Owner of `liability_days` and `liability_cuts`.
 *
 * Its figures are sums of the ledger's rows and of nothing else; how they are kept up with the ledger, each row once, is said in
 * follower.ts. `verify-ledger` recomputes them.
 */
import type { Log } from '@local-plus/actors';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { type LedgerSums, LiabilityFollower } from './follower.ts';
import { type HandlerPorts, liabilityHandlers, type Rates } from './handler.ts';
import { LiabilityStore } from './store.ts';

export interface LiabilityOptions {
  /** Where the sums are kept: the first database. */
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly ledger: LedgerSums;
  readonly programs: HandlerPorts['programs'];
  readonly rates: Rates;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface LiabilityModule {
  readonly handlers: Handlers;
  /** Begins to keep up with the ledger. */
  start(): void;
  /** Resolves when nothing of that is under way. */
  stop(): Promise<void>;
}

export function createLiabilityModule(options: LiabilityOptions): LiabilityModule {
  const { database, ledger, programs, rates, log, metrics } = options;
  const store = new LiabilityStore(database);
  const follower = new LiabilityFollower({ store, ledger, programs, clock: systemClock, timer: systemTimer, log });
  metrics.counter('liability_rows_total', 'Rows of the ledger that this process has summed.', () => [
    { value: follower.rows },
  ]);
  metrics.counter('liability_troubles_total', 'Rounds of the summing that the database ended.', () => [
    { value: follower.counters.troubles },
  ]);
  return {
    handlers: liabilityHandlers({ store, follower, programs, rates, nowMs: Date.now }),
    start: () => follower.start(),
    stop: () => follower.stop(),
  };
}
