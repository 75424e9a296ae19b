/**
 * Sums what the ledger's writers have committed since it was looked at last, and adds it to the days of the programs.
 *
 * - F1 each row is added once: the place up to which a writer's rows are summed moves with the sums, in one statement that
 *   compares it. Any number of processes may sum; two that sum the same piece add it once.
 * - F2 a row is added to its own day, however late it was committed.
 * - F3 "as of" is the moment before the tails were read: what was committed before it is below them. A writer that is new is
 *   there before any other's moment moves.
 */
import { type Clock, type Log, Sweep, SweepCounters, type Timer, type Visit } from '@local-plus/actors';
import { type ProgramId, positionBounds } from '@local-plus/contracts';
import { beginningOf, type Earnings, type Flow, type LedgerFlows, type Tail } from '../ledger/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { daysOf } from './domain.ts';
import { liabilityLimits } from './limits.ts';
import type { Cut, LiabilityStore, OwnedDay } from './store.ts';

/** The ledger's rows, as sums. Of each of its databases by itself: sums of days add up. */
export type LedgerSums = Pick<Earnings, 'tails'> & LedgerFlows;

/** What is written down of a program beside its sums. */
export interface Owner {
  readonly merchantId: string;
  readonly unit: string;
}

export interface FollowerPorts {
  readonly store: LiabilityStore;
  readonly ledger: LedgerSums;
  readonly programs: { find(programId: ProgramId): Owner | null | Promise<Owner | null> };
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  /** Rows that one statement sums. */
  readonly pageRows?: number;
}

/** A writer that is behind, or whose moment is. */
interface Behind {
  readonly tail: Tail;
  readonly cut: Cut;
  readonly asOf: Date;
}

/** Pages of one writer in a round: far more than it writes in between, and not so many that a stop waits for long. */
const ROUND_PAGES = 50;

export class LiabilityFollower {
  readonly #ports: FollowerPorts;
  readonly #sweep: Sweep<Behind>;
  readonly counters = new SweepCounters();
  #reported: Promise<void> | null = null;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  /** Rows that this process has summed. */
  rows = 0;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
    const { backoffMsMax, everyMs } = liabilityLimits;
    this.#sweep = new Sweep<Behind>({
      ...ports,
      of: 'liability',
      find: async () => (await this.#behind()).filter(({ cut }) => !cut.isFresh),
      idOf: ({ cut }) => `${cut.databaseId} ${cut.writerId}`,
      visit: (behind) => this.#visit(behind),
      counters: this.counters,
      limits: {
        sweepMs: everyMs,
        pauseMsMax: backoffMsMax,
        asideMsMax: backoffMsMax,
        itemsMax: positionBounds.writerIdMax + 1,
        concurrencyMax: 1,
        asideMax: positionBounds.writerIdMax + 1,
      },
    });
  }

  start(): void {
    this.#sweep.start();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#sweep.stop();
  }

  /**
   * For a report: what is missing now, as far as a bounded number of pages goes, and not more often than is worth it. Never
   * rejects: the report says how far it goes.
   */
  async catchUp(): Promise<void> {
    const { clock, log } = this.#ports;
    if (this.#reported !== null) return this.#reported;
    if (clock.monotonicMs() - this.#reportedMs < liabilityLimits.reportEveryMs) return;
    this.#reported = this.#catchUp()
      .catch((error: unknown) => log.warn('liability is not summed up to now', { error: String(error) }))
      .finally(() => {
        this.#reportedMs = clock.monotonicMs();
        this.#reported = null;
      });
    return this.#reported;
  }

  async #catchUp(): Promise<void> {
    let pages = liabilityLimits.reportPages;
    for (const behind of await this.#behind()) pages -= await this.#sum(behind, pages);
  }

  async #visit(behind: Behind): Promise<Visit> {
    try {
      await this.#sum(behind, ROUND_PAGES);
      return 'done';
    } catch (error) {
      if (error instanceof DatabaseUnavailable) return 'trouble';
      this.#ports.log.error('liability cannot be summed', { ...behind.tail, error });
      return 'aside';
    }
  }

  /** F3: the moment and the cuts first, then the tails, then cuts for those that have none. */
  async #behind(): Promise<readonly Behind[]> {
    const { store, ledger } = this.#ports;
    const { now, cuts } = await store.cuts();
    const known = new Map(cuts.map((cut) => [`${cut.databaseId} ${cut.writerId}`, cut]));
    const behind: Behind[] = [];
    const opened: Cut[] = [];
    for (const tail of await ledger.tails()) {
      const { databaseId, writerId } = tail;
      const found = known.get(`${databaseId} ${writerId}`);
      const cut = found ?? { databaseId, writerId, seq: beginningOf(writerId), isFresh: false };
      if (found === undefined) opened.push(cut);
      behind.push({ tail, cut, asOf: now });
    }
    if (opened.length > 0) await store.open(opened);
    return behind;
  }

  /** Page by page, until it has caught up, or another process is at it. How many pages it took. */
  async #sum({ tail, cut, asOf }: Behind, pagesMax: number): Promise<number> {
    const { store, ledger, pageRows = liabilityLimits.pageRows } = this.#ports;
    let current: Omit<Cut, 'isFresh'> = cut;
    for (let page = 1; page <= pagesMax && !this.#isStopped; page++) {
      const { flows, seq, isAll } = await ledger.between(tail, current.seq, pageRows);
      const days = await this.#owned(flows);
      if (!(await store.advance(current, seq, isAll ? asOf : null, days))) return page;
      this.rows += flows.reduce((sum, { rows }) => sum + rows, 0);
      if (isAll) return page;
      current = { ...current, seq };
    }
    return pagesMax;
  }

  async #owned(flows: readonly Flow[]): Promise<readonly OwnedDay[]> {
    const { programs } = this.#ports;
    const days = daysOf(flows);
    const ids = [...new Set(days.map(({ programId }) => programId))];
    const owners = new Map<ProgramId, Owner | null>();
    for (let start = 0; start < ids.length; start += liabilityLimits.programsMax) {
      const some = ids.slice(start, start + liabilityLimits.programsMax);
      const found = await Promise.all(some.map((id) => programs.find(id)));
      for (const [index, id] of some.entries()) owners.set(id, found[index] ?? null);
    }
    return days.map((each): OwnedDay => {
      const owner = owners.get(each.programId);
      return { ...each, merchantId: owner?.merchantId ?? null, unit: owner?.unit ?? null };
    });
  }
}
