/**
 * The payments module: one amount paid from several wallets and gift cards, all or nothing; its refunds; and the rates at which
 * points pay. Owner of `payments`, `payment_refunds`, `payment_rates`.
 *
 * It moves value at the ledger's desk only. A payment is decided in its row before anything moves, and every movement has a key
 * made of the row: whoever dies, and whenever, another process goes on from there (process.ts, sweep.ts).
 */
import type { AccountState, Log } from '@local-plus/actors';
import type { AccountId, ProgramId } from '@local-plus/contracts';
import type { Desk } from '../ledger/index.ts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import type { Rate } from './domain.ts';
import { paymentHandlers } from './handler.ts';
import { Movements } from './movements.ts';
import { quote } from './plan.ts';
import type { Sources } from './ports.ts';
import { PaymentProcess } from './process.ts';
import { RateStore } from './rates.ts';
import { type RatePorts, rateHandlers } from './rates-handler.ts';
import { RefundProcess } from './refunds.ts';
import { refundHandlers } from './refunds-handler.ts';
import { RefundStore } from './refunds-store.ts';
import { PaymentStore } from './store.ts';
import { type PaymentSweep, paymentSweep } from './sweep.ts';

export type { Admission, FoundSource, Sources } from './ports.ts';

export interface PaymentsOptions {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly desk: Desk;
  readonly sources: Sources;
  readonly programs: RatePorts['programs'];
  /** The committed state; rejects with `unavailable`. */
  readonly states: { read(accountId: AccountId): Promise<AccountState> };
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface PaymentsModule {
  readonly handlers: Handlers;
  readonly rates: {
    /** At which a program's points paid just before a moment, by currency. */
    before(programId: ProgramId, moment: Date): Promise<readonly (Rate & { readonly currency: string })[]>;
  };
  /** Begins to settle what was left on its way. */
  start(): void;
  /** Resolves when nothing of that is under way. */
  stop(): Promise<void>;
}

export function createPaymentsModule(options: PaymentsOptions): PaymentsModule {
  const { database, desk, sources, programs, states, log, metrics } = options;
  const nowMs = Date.now;
  const store = new PaymentStore(database);
  const refunds = new RefundStore(database);
  const rates = new RateStore(database);
  const movements = new Movements(desk, sources);
  const process = new PaymentProcess({ store, movements, nowMs, log });
  const refunding = new RefundProcess({ payments: store, refunds, movements, nowMs, log });
  const clock = systemClock;
  const sweep = paymentSweep({ store, refunds, process, refunding, clock, timer: systemTimer, log });
  registerMetrics(metrics, sweep);
  return {
    handlers: {
      ...rateHandlers({ rates, programs, nowMs }),
      ...paymentHandlers({ store, process, sources, rates, nowMs }),
      ...refundHandlers({ store, refunds, process, refunding, nowMs }),
      'payments.quote': (request) => quote({ sources, rates, states, nowMs }, request),
    },
    rates: { before: (programId, moment) => rates.before(programId, moment) },
    start: () => sweep.start(),
    stop: () => sweep.stop(),
  };
}

function registerMetrics(metrics: Metrics, sweep: PaymentSweep): void {
  metrics.counter('payments_swept_total', 'Payments and refunds that the sweep brought to rest.', () => [
    { value: sweep.settled },
  ]);
  metrics.gauge('payments_aside', 'Payments and refunds in trouble, set aside for a while.', () => [
    { value: sweep.aside },
  ]);
  metrics.counter('payments_sweep_troubles_total', 'Rounds of the sweep that the database ended.', () => [
    { value: sweep.counters.troubles },
  ]);
}
