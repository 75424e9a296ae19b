/**
 * Follows the ledger: whoever earned since it looked last is counted anew; so is whose tier is due to fall, whose program has
 * other tiers, and who had earned before its program had any.
 *
 * - F1 one process follows at a time (store.ts, S1); where it stopped is in the tables, so any other goes on.
 * - F2 how far the ledger was followed is written after what was found there. What is found again changes nothing.
 * - F3 whether a program has tiers is asked after its row was read (counting.ts): a row that is passed over is of a program that
 *   had none by then, and its wallet is met when the program's wallets are walked over, which begins later.
 * - F4 of a writer that it never saw it reads everything. Only where nothing was ever followed does it begin at the end: whoever
 *   had earned before is met by the walk, which begins after that.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, type Log, Sweep, SweepCounters, type Timer, type Visit } from '@local-plus/actors';
import type { AccountId, ProgramId, WalletId } from '@local-plus/contracts';
import type { Earnings, Tail } from '../ledger/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { type Counting, Superseded } from './counting.ts';
import { dayOf } from './domain.ts';
import { tierLimits } from './limits.ts';
import type { ProgressRow, TieredProgram, TierStore } from './store.ts';

/** The ledger's tail. */
export type Tails = Pick<Earnings, 'tails' | 'earners'>;

export interface FollowerPorts {
  readonly store: TierStore;
  readonly counting: Counting;
  readonly earnings: Tails;
  /** The wallets of a program in the order of their ids, from behind `after` (null: the first). */
  readonly walletsOf: (programId: ProgramId, after: WalletId | null, rowsMax: number) => Promise<readonly WalletId[]>;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
}

/** Something to do; done anew whenever it is found. */
interface Work {
  readonly id: string;
  readonly run: () => Promise<void>;
}

/** Before every program. */
const NIL = '00000000-0000-0000-0000-000000000000' as ProgramId;

/** Stands for no writer: that the ledger is followed at all. */
const beginning: Tail = { databaseId: 0, writerId: 0, seq: '0' };

function isBeginning({ database_id, writer_id }: ProgressRow): boolean {
  return database_id === beginning.databaseId && writer_id === beginning.writerId;
}

export class Follower {
  readonly #ports: FollowerPorts;
  readonly #holder = randomUUID();
  readonly #sweep: Sweep<Work>;
  readonly counters = new SweepCounters();
  #epoch: number | null = null;
  /** Of the monotonic clock, by what was known before the lease was asked for. */
  #leaseEndMs = 0;
  #roundEndMs = 0;
  /** The last program of the page of unfinished ones that was looked at last. */
  #pageEnd = NIL;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
    const { clock, timer, log } = ports;
    this.#sweep = new Sweep<Work>({
      of: 'tiers',
      find: () => this.#find(),
      idOf: ({ id }) => id,
      visit: (work) => this.#visit(work),
      counters: this.counters,
      clock,
      timer,
      log,
      limits: {
        sweepMs: tierLimits.followMs,
        pauseMsMax: tierLimits.followPauseMsMax,
        asideMsMax: tierLimits.followPauseMsMax,
        itemsMax: Number.MAX_SAFE_INTEGER,
        concurrencyMax: 1,
        asideMax: 1_000,
      },
    });
  }

  start(): void {
    this.#sweep.start();
  }

  /** Another process need not wait for the end of the lease. */
  async stop(): Promise<void> {
    await this.#sweep.stop();
    if (this.#epoch === null) return;
    await this.#ports.store.giveUp(this.#holder, this.#epoch).catch((error: unknown) => {
      this.#ports.log.warn('the lease of the tiers was not given up', { error: String(error) });
    });
  }

  async #visit(work: Work): Promise<Visit> {
    try {
      if (this.#goesOn()) await work.run();
      return 'done';
    } catch (error) {
      if (error instanceof Superseded) this.#epoch = null;
      else if (error instanceof DatabaseUnavailable) return 'trouble';
      else {
        this.#ports.log.error('tiers are not counted', { work: work.id, error });
        return 'aside';
      }
      return 'done';
    }
  }

  async #find(): Promise<readonly Work[]> {
    const { store, clock } = this.#ports;
    const epoch = await this.#lease();
    if (epoch === null) return [];
    this.#roundEndMs = clock.monotonicMs() + tierLimits.roundMs;
    if (!(await store.isAnyProgram())) return [];
    const progress = await store.progress();
    const tails = await this.#ports.earnings.tails();
    if (!progress.some(isBeginning)) return [{ id: 'begin', run: () => this.#begin(tails, epoch) }];
    const rows = await this.#unfinished();
    return [
      ...this.#behind(tails, progress, epoch),
      ...rows.filter((row) => !row.is_walked).map((row) => this.#walk(row, epoch)),
      ...rows.filter((row) => row.applied_version < row.version).map((row) => this.#apply(row, epoch)),
      { id: 'due', run: () => this.#fall(epoch) },
    ];
  }

  /** The next page, and after the last one the first: whatever stands still on one page keeps no other waiting. */
  async #unfinished(): Promise<readonly TieredProgram[]> {
    const rows = await this.#ports.store.unfinished(this.#pageEnd, tierLimits.programsMax);
    const isLast = rows.length < tierLimits.programsMax;
    const isFirst = this.#pageEnd === NIL;
    this.#pageEnd = (isLast ? null : rows.at(-1)?.program_id) ?? NIL;
    return isLast && rows.length === 0 && !isFirst ? this.#unfinished() : rows;
  }

  /** F1. Renewed when a round would not fit any more. */
  async #lease(): Promise<number | null> {
    const { store, clock } = this.#ports;
    const askedAtMs = clock.monotonicMs();
    if (this.#epoch !== null && this.#leaseEndMs - askedAtMs > (tierLimits.leaseMs * 4) / 5) return this.#epoch;
    this.#epoch = await store.lease(this.#holder, tierLimits.leaseMs);
    this.#leaseEndMs = askedAtMs + tierLimits.leaseMs;
    return this.#epoch;
  }

  #goesOn(): boolean {
    return this.#epoch !== null && this.#ports.clock.monotonicMs() < this.#roundEndMs;
  }

  /** F4. */
  async #begin(tails: readonly Tail[], epoch: number): Promise<void> {
    for (const tail of tails) await this.#saveProgress(tail, tail.seq, epoch);
    await this.#saveProgress(beginning, beginning.seq, epoch);
  }

  #behind(tails: readonly Tail[], progress: readonly ProgressRow[], epoch: number): readonly Work[] {
    return tails.flatMap((tail): Work[] => {
      const { databaseId, writerId } = tail;
      const at = progress.find((row) => row.database_id === databaseId && row.writer_id === writerId)?.seq ?? null;
      if (at !== null && BigInt(at) >= BigInt(tail.seq)) return [];
      return [{ id: `tail ${databaseId}/${writerId}`, run: () => this.#follow(tail, at, epoch) }];
    });
  }

  async #follow(tail: Tail, from: string | null, epoch: number): Promise<void> {
    const { earnings, counting } = this.#ports;
    for (let at = from; at !== tail.seq && this.#goesOn(); ) {
      const { earners, seq } = await earnings.earners(tail, at, tierLimits.tailRowsMax);
      // F2.
      if (!(await counting.bring(earners, epoch, () => this.#goesOn()))) return;
      await this.#saveProgress(tail, seq, epoch);
      at = seq;
    }
  }

  async #saveProgress({ databaseId, writerId }: Tail, seq: string, epoch: number): Promise<void> {
    const row = { database_id: databaseId, writer_id: writerId, seq };
    if (!(await this.#ports.store.saveProgress(row, epoch))) throw new Superseded('the progress was not written');
  }

  /** Who had earned before the program had tiers. */
  #walk({ program_id: programId, walked_to }: TieredProgram, epoch: number): Work {
    const { store, walletsOf, counting } = this.#ports;
    const run = async (): Promise<void> => {
      for (let to = walked_to as WalletId | null; this.#goesOn(); ) {
        const page = await walletsOf(programId, to, tierLimits.walletsMax);
        const earners = page.map((walletId) => ({ accountId: walletId as string as AccountId, programId }));
        if (!(await counting.bring(earners, epoch, () => this.#goesOn()))) return;
        const isWalked = page.length < tierLimits.walletsMax;
        to = page.at(-1) ?? to;
        if (!(await store.saveWalk(programId, to, isWalked, epoch))) throw new Superseded('the walk was not written');
        if (isWalked) return;
      }
    };
    return { id: `walk ${programId}`, run };
  }

  /** Whose program has other tiers. */
  #apply({ program_id: programId, version }: TieredProgram, epoch: number): Work {
    const { store } = this.#ports;
    const run = async (): Promise<void> => {
      const find = () => store.ofOlderScheme(programId, version, tierLimits.walletsMax);
      if (!(await this.#bringAll(find, epoch))) return;
      if (!(await store.saveApplied(programId, version, epoch))) throw new Superseded('the tiers were not written');
    };
    return { id: `tiers ${programId}`, run };
  }

  async #fall(epoch: number): Promise<void> {
    const today = dayOf(this.#ports.clock.nowMs());
    await this.#bringAll(() => this.#ports.store.due(today, tierLimits.walletsMax), epoch);
  }

  /** True: nothing more is found. */
  async #bringAll(find: () => ReturnType<TierStore['due']>, epoch: number): Promise<boolean> {
    while (this.#goesOn()) {
      const found = await find();
      if (found.length === 0) return true;
      const earners = found.map((row) => ({ accountId: row.account_id, programId: row.program_id }));
      await this.#ports.counting.bring(earners, epoch, () => this.#goesOn());
    }
    return false;
  }
}
