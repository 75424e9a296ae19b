/**
 * The sweep of redemptions that were left on their way: by a process that died, or while the ledger could not say what became of
 * a step. It decides nothing that a request would not.
 */
import { type Clock, type Log, Sweep, SweepCounters, type Timer, type Visit } from '@local-plus/actors';
import { ProblemError } from '../platform/http/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { rewardLimits, rewardSweepLimits } from './limits.ts';
import type { RedemptionProcess } from './process.ts';
import type { RedemptionRow, RedemptionStore } from './redemptions-store.ts';

export interface RedemptionSweepPorts {
  readonly store: Pick<RedemptionStore, 'open'>;
  readonly process: Pick<RedemptionProcess, 'settle'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
}

export class RedemptionSweep {
  readonly #ports: RedemptionSweepPorts;
  readonly #sweep: Sweep<RedemptionRow>;
  readonly counters = new SweepCounters();
  /** Redemptions that it brought to rest. */
  settled = 0;

  constructor(ports: RedemptionSweepPorts) {
    this.#ports = ports;
    this.#sweep = new Sweep<RedemptionRow>({
      ...ports,
      of: 'open redemptions',
      find: (itemsMax) => ports.store.open(itemsMax),
      idOf: ({ id }) => id,
      visit: (row) => this.#visit(row),
      counters: this.counters,
      limits: rewardSweepLimits,
    });
  }

  /** The first round begins at once. */
  start(): void {
    this.#sweep.start();
  }

  /** Resolves when nothing of it is under way. */
  stop(): Promise<void> {
    return this.#sweep.stop();
  }

  get aside(): number {
    return this.#sweep.aside;
  }

  async #visit(row: RedemptionRow): Promise<Visit> {
    const { process, clock, log } = this.#ports;
    try {
      await process.settle(row, clock.monotonicMs() + rewardLimits.sweepDeadlineMs);
      this.settled++;
      return 'done';
    } catch (error) {
      if (error instanceof DatabaseUnavailable) return 'trouble';
      // An owner that is away, a process that is full: others' accounts have other owners.
      if (!(error instanceof ProblemError)) log.error('a redemption cannot be settled', { id: row.id, error });
      return 'aside';
    }
  }
}
