/**
 * The sweep of payments and refunds that were left on their way, and of payments whose time is over. It decides nothing that a
 * request would not: the process managers do, from the rows.
 */
import { type Clock, type Log, Sweep, SweepCounters, type Timer, type Visit } from '@local-plus/actors';
import { ProblemError } from '../platform/http/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { paymentLimits, paymentSweepLimits } from './limits.ts';
import type { PaymentProcess } from './process.ts';
import type { RefundProcess } from './refunds.ts';
import type { RefundRow, RefundStore } from './refunds-store.ts';
import type { PaymentRow, PaymentStore } from './store.ts';

export interface PaymentSweepPorts {
  readonly store: Pick<PaymentStore, 'due'>;
  readonly refunds: Pick<RefundStore, 'due'>;
  readonly process: Pick<PaymentProcess, 'settle' | 'abandon'>;
  readonly refunding: Pick<RefundProcess, 'settle'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
}

type Item =
  | { readonly type: 'payment'; readonly row: PaymentRow }
  | { readonly type: 'refund'; readonly row: RefundRow };

export class PaymentSweep {
  readonly #ports: PaymentSweepPorts;
  readonly #sweep: Sweep<Item>;
  readonly counters = new SweepCounters();
  /** Payments and refunds that it brought to rest. */
  settled = 0;

  constructor(ports: PaymentSweepPorts) {
    this.#ports = ports;
    this.#sweep = new Sweep<Item>({
      ...ports,
      of: 'open payments',
      find: (itemsMax) => this.#find(itemsMax),
      idOf: ({ row }) => row.id,
      visit: (item) => this.#visit(item),
      counters: this.counters,
      limits: paymentSweepLimits,
    });
  }

  /** The first round begins at once. */
  start(): void {
    this.#sweep.start();
  }

  /** Resolves when nothing of it is under way: after the steps that are, at their deadline at the latest. */
  stop(): Promise<void> {
    return this.#sweep.stop();
  }

  /** Payments and refunds in trouble, set aside for a while. */
  get aside(): number {
    return this.#sweep.aside;
  }

  async #find(itemsMax: number): Promise<readonly Item[]> {
    const { store, refunds } = this.#ports;
    const [open, pending] = await Promise.all([store.due(itemsMax), refunds.due(itemsMax)]);
    // In turns, so that many of the one do not keep the other waiting.
    const items: Item[] = [];
    for (let place = 0; place < Math.max(open.length, pending.length); place++) {
      const [payment, refund] = [open[place], pending[place]];
      if (payment !== undefined) items.push({ type: 'payment', row: payment });
      if (refund !== undefined) items.push({ type: 'refund', row: refund });
    }
    return items;
  }

  async #visit(item: Item): Promise<Visit> {
    const { process, refunding, clock, log } = this.#ports;
    const deadlineMs = clock.monotonicMs() + paymentLimits.sweepDeadlineMs;
    try {
      if (item.type === 'refund') await refunding.settle(item.row, deadlineMs);
      else {
        // It rests, and is due: its time is over.
        const row = item.row.status === 'held' ? await process.abandon(item.row, null) : item.row;
        await process.settle(row, deadlineMs);
      }
      this.settled++;
      return 'done';
    } catch (cause) {
      if (cause instanceof DatabaseUnavailable) return 'trouble';
      // An owner that is away, a process that is full: others' accounts have other owners.
      if (!(cause instanceof ProblemError)) log.error('a payment cannot be settled', { id: item.row.id, error: cause });
      return 'aside';
    }
  }
}
