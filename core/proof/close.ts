/**
 * The role that closes days: looks once at the start and then every ten minutes, and closes each day that is over, oldest
 * first. Any number of processes may have it; snapshots.ts says why they cannot harm each other.
 *
 * A failure is said once, and tried again with a growing pause: nothing waits for a root.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { Database } from '../platform/postgres/index.ts';
import type { ClosingLimits } from './limits.ts';
import { type DayText, dayAfter, isOver } from './root.ts';
import { type ClosedDay, Snapshots } from './snapshots.ts';

export interface DayCloserPorts {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly timer: Pick<Timer, 'after'>;
  readonly log: Log;
  /** With time for a whole day's rows in one statement. */
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly limits: ClosingLimits;
}

export interface DayCloserStatus {
  /** The newest day with a root that this process knows of. */
  readonly closed: DayText | null;
  readonly isFailing: boolean;
}

export class DayCloser {
  readonly #ports: DayCloserPorts;
  readonly #snapshots: Snapshots;
  #cancel: (() => void) | null = null;
  #isStopped = false;
  #failures = 0;
  #closed: DayText | null = null;

  constructor(ports: DayCloserPorts) {
    this.#ports = ports;
    this.#snapshots = new Snapshots(ports.database, ports.limits.pageRows);
  }

  get status(): DayCloserStatus {
    return { closed: this.#closed, isFailing: this.#failures > 0 };
  }

  /** Returns at once and never throws. */
  start(): void {
    this.#after(0);
  }

  /** No further step begins. What is under way is harmless at any point: close the database next. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  /**
   * Closes the next day that is due; one that another process claimed and did not seal comes first.
   *
   * @returns null: nothing was due, or another process was first
   */
  async closeNext(): Promise<ClosedDay | null> {
    const { clock, limits } = this.#ports;
    let newest = await this.#snapshots.newest();
    if (newest?.root !== '') {
      this.#closed = newest?.day ?? null;
      const next = newest === null ? await this.#snapshots.firstDay() : dayAfter(newest.day);
      if (next === null || !isOver(next, clock.nowMs() - limits.graceMs)) return null;
      if (!(await this.#snapshots.claim(next, limits.graceMs))) return null;
      newest = await this.#snapshots.newest();
    }
    if (newest === null) return null;
    const closed = await this.#snapshots.seal(newest);
    this.#closed = closed.day;
    return closed;
  }

  async #run(): Promise<void> {
    const { limits, log } = this.#ports;
    try {
      const closed = await this.closeNext();
      if (this.#failures > 0) log.info('days are closed again');
      this.#failures = 0;
      // The root in the log is one outside the database: what it vouches for cannot be rewritten unseen.
      if (closed !== null) log.info('day closed', { ...closed });
      this.#after(closed === null ? limits.everyMs : limits.betweenDaysMs);
    } catch (error) {
      if (this.#isStopped) return;
      if (this.#failures === 0) log.warn('days cannot be closed; tried again', { error });
      this.#after(Math.min(limits.backoffMs * 2 ** this.#failures, limits.backoffMsMax));
      this.#failures++;
    }
  }

  #after(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#ports.timer.after(delayMs, () => void this.#run());
  }
}
