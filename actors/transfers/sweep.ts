/**
 * The sweep of open transfers: what a process left between departure and end is brought to its end by any other.
 *
 *     find by the index → per departure: settle → close
 *
 * S1 It decides nothing: each step is an ordinary request with its key. Two sweeps at once do everything once.
 * S2 It keeps nothing that could be lost: what is not done is still open when it looks again.
 * S3 It never throws and never spins. The store in trouble ends the round, and the pause grows; a transfer that cannot go
 *    on is set aside for a while, and the others go on: as many more are asked for as are set aside.
 * S4 Everything is bounded: transfers per round, at a time, set aside.
 *
 * An owner that is away is no trouble of the round: other accounts have other owners.
 */
import type { Clock, Log, PostedRow, Timer } from '../ports.ts';
import type { Posted } from '../runtime/outcome.ts';
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
export class TransferSweepCounters {
  rounds = 0;
  /** Transfers that it closed. */
  closed = 0;
  /** Transfers that were set aside: each time counts. */
  asides = 0;
  /** Rounds that the store ended. */
  troubles = 0;
  /** For how long the oldest transfer of the last round had been open. */
  oldestMs = 0;
}

/** Set aside until `untilMs` of the monotonic clock; `tries` in a row came to nothing. */
interface Aside {
  readonly untilMs: number;
  readonly tries: number;
}

export class TransferSweep {
  readonly #ports: TransferSweepPorts;
  readonly #limits: TransferSweepLimits;
  readonly counters = new TransferSweepCounters();
  /** By the departure's id. */
  readonly #asides = new Map<string, Aside>();
  #cancel: (() => void) | null = null;
  #round: Promise<void> | null = null;
  #running = false;
  #troubles = 0;

  constructor(ports: TransferSweepPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? transferSweepLimits;
  }

  /** The first round begins at once. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#next(0);
  }

  /** Resolves when nothing of it is under way: after the steps that are, at their deadline at the latest. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel?.();
    await this.#round;
  }

  /** Transfers that are set aside now. */
  get aside(): number {
    return this.#asides.size;
  }

  #next(delayMs: number): void {
    this.#cancel = this.#ports.timer.after(delayMs, () => {
      this.#round = this.#sweep().then((pauseMs) => {
        this.#round = null;
        if (this.#running) this.#next(pauseMs);
      });
    });
  }

  /** One round; the pause after it. */
  async #sweep(): Promise<number> {
    const { sweepMs, pauseMsMax } = this.#limits;
    this.counters.rounds++;
    try {
      const isFull = await this.#visitAll(await this.#find());
      this.#troubles = 0;
      return isFull ? 0 : sweepMs;
    } catch (cause) {
      this.counters.troubles++;
      const pauseMs = Math.min(sweepMs * 2 ** this.#troubles, pauseMsMax);
      this.#troubles = Math.min(this.#troubles + 1, 30);
      this.#ports.log.warn('the sweep of open transfers pauses', { pauseMs, cause: String(cause) });
      return pauseMs;
    }
  }

  /** What is open, without what is set aside. */
  async #find(): Promise<readonly OpenTransfer[]> {
    const { ageMs, transfersMax } = this.#limits;
    const open = await this.#ports.find(ageMs, transfersMax + this.#asides.size);
    this.counters.oldestMs = open[0]?.openMs ?? 0;
    const still = new Set<string>(open.map(({ transactionId }) => transactionId));
    for (const id of this.#asides.keys()) if (!still.has(id)) this.#asides.delete(id);
    const nowMs = this.#ports.clock.monotonicMs();
    const free = open.filter(({ transactionId }) => (this.#asides.get(transactionId)?.untilMs ?? 0) <= nowMs);
    return free.slice(0, transfersMax);
  }

  /** A few at a time. True: there may be more to do at once. */
  async #visitAll(open: readonly OpenTransfer[]): Promise<boolean> {
    let next = 0;
    let closed = 0;
    const visitor = async (): Promise<void> => {
      while (next < open.length && this.#running) {
        const transfer = open[next++] as OpenTransfer;
        if (await this.#visit(transfer)) {
          closed++;
          this.#asides.delete(transfer.transactionId);
        } else this.#setAside(transfer.transactionId);
      }
    };
    await Promise.all(Array.from({ length: this.#limits.concurrencyMax }, visitor));
    this.counters.closed += closed;
    return closed > 0 && open.length >= this.#limits.transfersMax;
  }

  /** Whether it is settled and closed. Whatever goes wrong with one is no reason to leave the others. */
  async #visit(transfer: OpenTransfer): Promise<boolean> {
    const { transfers, close, clock, log } = this.#ports;
    try {
      const settled = await transfers.settle(transfer, clock.monotonicMs() + this.#limits.deadlineMs);
      if (settled.type === 'open') return false;
      await close(transfer.row);
      return true;
    } catch (cause) {
      log.warn('an open transfer could not be finished', { id: transfer.transactionId, cause: String(cause) });
      return false;
    }
  }

  /** The longer, the more often it came to nothing. */
  #setAside(id: string): void {
    this.counters.asides++;
    const { sweepMs, asideMsMax, asideMax } = this.#limits;
    const tries = (this.#asides.get(id)?.tries ?? 0) + 1;
    if (tries === 1 && this.#asides.size >= asideMax) return;
    const pauseMs = Math.min(sweepMs * 2 ** Math.min(tries - 1, 30), asideMsMax);
    this.#asides.set(id, { untilMs: this.#ports.clock.monotonicMs() + pauseMs, tries });
  }
}
