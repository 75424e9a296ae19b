/**
 * The sweep of open transfers: what a process left between departure and end is brought to its end by any other.
 *
 *     find by the index → per departure: settle → close
 *
 * S1 It decides nothing: each step is an ordinary request with its key. Two sweeps at once do everything once.
 * What it keeps, how it paces itself, and what bounds it: sweep/index.ts.
 *
 * An owner that is away is no trouble of the round: other accounts have other owners.
 */
import type { Clock, Log, PostedRow, Timer } from '../ports.ts';
import type { Posted } from '../runtime/outcome.ts';
import { Sweep, SweepCounters, type Visit } from '../sweep/index.ts';
import { type TransferSweepLimits, transferSweepLimits } from './limits.ts';
import type { Transfers } from './transfers.ts';

export interface OpenTransfer extends Posted {
  /** Since its departure, by the store's clock. */
  readonly openMs: number;
}

export interface TransferSweepPorts {
  /** Departures that have been open for `ageMs` or more, the oldest first; may reject. */
  readonly find: (ageMs: number, transfersMax: number) => Promise<readonly OpenTransfer[]>;
  readonly transfers: Pick<Transfers, 'settle'>;
  /** As of {@link Transfers}; may reject. */
  readonly close: (departure: PostedRow) => Promise<void>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits?: TransferSweepLimits;
}

/** Plain numbers, read when scraped. */
export class TransferSweepCounters extends SweepCounters {
  /** Transfers that it closed. */
  closed = 0;
  /** For how long the oldest transfer of the last round had been open. */
  oldestMs = 0;
}

export class TransferSweep {
  readonly #ports: TransferSweepPorts;
  readonly #limits: TransferSweepLimits;
  readonly #sweep: Sweep<OpenTransfer>;
  readonly counters = new TransferSweepCounters();

  constructor(ports: TransferSweepPorts) {
    const limits = ports.limits ?? transferSweepLimits;
    this.#ports = ports;
    this.#limits = limits;
    this.#sweep = new Sweep({
      ...ports,
      of: 'open transfers',
      find: (itemsMax) => this.#find(itemsMax),
      idOf: ({ transactionId }) => transactionId,
      visit: (transfer) => this.#visit(transfer),
      counters: this.counters,
      limits: { ...limits, itemsMax: limits.transfersMax },
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

  /** Transfers that are set aside now. */
  get aside(): number {
    return this.#sweep.aside;
  }

  async #find(transfersMax: number): Promise<readonly OpenTransfer[]> {
    const open = await this.#ports.find(this.#limits.ageMs, transfersMax);
    this.counters.oldestMs = open[0]?.openMs ?? 0;
    return open;
  }

  /** Whatever goes wrong with one is no reason to leave the others. */
  async #visit(transfer: OpenTransfer): Promise<Visit> {
    const { transfers, close, clock, log } = this.#ports;
    try {
      const settled = await transfers.settle(transfer, clock.monotonicMs() + this.#limits.deadlineMs);
      if (settled.type === 'open') return 'aside';
      await close(transfer.row);
      this.counters.closed++;
      return 'done';
    } catch (cause) {
      log.warn('an open transfer could not be finished', { id: transfer.transactionId, cause: String(cause) });
      return 'aside';
    }
  }
}
