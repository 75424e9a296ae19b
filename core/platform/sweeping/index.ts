/**
 * Sweeps of what modules left on its way through the ledger. They decide nothing: each visit does what the request itself would do
 * again. How they pace themselves, and what bounds them: `Sweep` of actors.
 */
import {
  type Clock,
  type Log,
  Sweep,
  SweepCounters,
  type SweepLimits,
  type Timer,
  type Visit,
} from '@local-plus/actors';
import { ProblemError } from '../http/index.ts';
import { DatabaseUnavailable } from '../postgres/index.ts';

export interface SettlingSweepPorts<Item> {
  /** What is swept, in the plural, for the log. */
  readonly of: string;
  /** The most urgent first; may reject. */
  readonly find: (itemsMax: number) => Promise<readonly Item[]>;
  readonly idOf: (item: Item) => string;
  /** Brings it to rest, or throws. @param deadlineMs on the clock's */
  readonly settle: (item: Item, deadlineMs: number) => Promise<unknown>;
  /** How long one visit may wait for the ledger, in milliseconds. */
  readonly visitMs: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: SweepLimits;
}

export class SettlingSweep<Item> {
  readonly #sweep: Sweep<Item>;
  readonly counters = new SweepCounters();
  /** Items that it brought to rest. */
  settled = 0;

  constructor(ports: SettlingSweepPorts<Item>) {
    this.#sweep = new Sweep<Item>({ ...ports, visit: (item) => this.#visit(ports, item), counters: this.counters });
  }

  /** The first round begins at once. */
  start(): void {
    this.#sweep.start();
  }

  /** Resolves when nothing of it is under way: after the visits that are, at their deadline at the latest. */
  stop(): Promise<void> {
    return this.#sweep.stop();
  }

  /** Items in trouble, set aside for a while. */
  get aside(): number {
    return this.#sweep.aside;
  }

  async #visit({ of, idOf, settle, visitMs, clock, log }: SettlingSweepPorts<Item>, item: Item): Promise<Visit> {
    try {
      await settle(item, clock.monotonicMs() + visitMs);
      this.settled++;
      return 'done';
    } catch (error) {
      return failedVisit(error, (isExpected) => {
        if (!isExpected) log.error(`one of the ${of} cannot be settled`, { id: idOf(item), error });
      });
    }
  }
}

/**
 * How a visit ends that threw: the database is away, or this item alone goes on later.
 *
 * @param report told of the latter; expected are an owner that is away and a process that is full: others' accounts have
 *   other owners
 */
export function failedVisit(error: unknown, report: (isExpected: boolean) => void): Visit {
  if (error instanceof DatabaseUnavailable) return 'trouble';
  report(error instanceof ProblemError);
  return 'aside';
}
