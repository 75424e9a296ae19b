/**
 * Rounds over what a table says is still to be done: found by an index, a bounded number at a time, until nothing is left.
 *
 * - It keeps nothing that could be lost: what is not done is found again when it looks again.
 * - It never throws and never spins. The store in trouble ends the round, and the pause grows; an item in trouble is set
 *   aside for a while, and the others go on: as many more are asked for as are set aside.
 * - Everything is bounded: items per round, items at a time, items set aside.
 *
 * Must not know: what an item is, and what is done about it.
 */
import type { Clock, Log, Timer } from '../ports.ts';

/** How a visit ended: what it could do is done; the item can only go on later; the store is in trouble. */
export type Visit = 'done' | 'aside' | 'trouble';

/** Times are milliseconds. */
export interface SweepLimits {
  /** The pause between two rounds; none after a round that was full and got on. */
  readonly sweepMs: number;
  /** What the pause after trouble with the store grows up to, from `sweepMs` on. */
  readonly pauseMsMax: number;
  /** For how long an item is set aside at most; at first for `sweepMs`. */
  readonly asideMsMax: number;
  /** Items of one round. */
  readonly itemsMax: number;
  /** Items at a time: clients' commands go on beside them. */
  readonly concurrencyMax: number;
  /** Items set aside; a further one is tried again in the next round. */
  readonly asideMax: number;
}

/** Plain numbers, read when scraped. */
export class SweepCounters {
  rounds = 0;
  /** Items that were set aside: each time counts. */
  asides = 0;
  /** Rounds that the store ended. */
  troubles = 0;
}

export interface SweepPorts<Item> {
  /** What is swept, for the log. */
  readonly of: string;
  /** The most urgent first; may reject. */
  readonly find: (itemsMax: number) => Promise<readonly Item[]>;
  readonly idOf: (item: Item) => string;
  /** @param tries how often in a row it came to nothing */
  readonly visit: (item: Item, tries: number) => Promise<Visit>;
  readonly counters: SweepCounters;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: SweepLimits;
}

/** Set aside until `untilMs` of the monotonic clock; `tries` in a row came to nothing. */
interface Aside {
  readonly untilMs: number;
  readonly tries: number;
}

/** Doublings of a pause; far past every maximum. */
const DOUBLINGS_MAX = 30;

export class Sweep<Item> {
  readonly #ports: SweepPorts<Item>;
  readonly #asides = new Map<string, Aside>();
  #cancel: (() => void) | null = null;
  #round: Promise<void> | null = null;
  #running = false;
  #troubles = 0;

  constructor(ports: SweepPorts<Item>) {
    this.#ports = ports;
  }

  /** The first round begins at once. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#next(0);
  }

  /** Resolves when nothing of it is under way: after the visits that are. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel?.();
    await this.#round;
  }

  /** Items that are set aside now. */
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
    const { counters, log, of, limits } = this.#ports;
    const { sweepMs, pauseMsMax } = limits;
    counters.rounds++;
    try {
      const isFull = await this.#visitAll(await this.#find());
      this.#troubles = 0;
      return isFull ? 0 : sweepMs;
    } catch (cause) {
      counters.troubles++;
      const pauseMs = Math.min(sweepMs * 2 ** this.#troubles, pauseMsMax);
      this.#troubles = Math.min(this.#troubles + 1, DOUBLINGS_MAX);
      log.warn(`the sweep of ${of} pauses`, { pauseMs, cause: String(cause) });
      return pauseMs;
    }
  }

  /** What is to be done, without what is set aside. */
  async #find(): Promise<readonly Item[]> {
    const { find, idOf, clock, limits } = this.#ports;
    const found = await find(limits.itemsMax + this.#asides.size);
    this.#forget(found);
    const nowMs = clock.monotonicMs();
    const free = found.filter((item) => (this.#asides.get(idOf(item))?.untilMs ?? 0) <= nowMs);
    return free.slice(0, limits.itemsMax);
  }

  /** What was set aside and is not found any more was settled by others. */
  #forget(found: readonly Item[]): void {
    if (this.#asides.size === 0) return;
    const still = new Set(found.map(this.#ports.idOf));
    for (const id of this.#asides.keys()) if (!still.has(id)) this.#asides.delete(id);
  }

  /** A few at a time. True: there may be more to do at once. Throws when the store is in trouble. */
  async #visitAll(items: readonly Item[]): Promise<boolean> {
    const { visit, idOf, limits } = this.#ports;
    let next = 0;
    let done = 0;
    let inTrouble = false;
    const visitor = async (): Promise<void> => {
      while (next < items.length && this.#running && !inTrouble) {
        const item = items[next++] as Item;
        const id = idOf(item);
        const end = await visit(item, this.#asides.get(id)?.tries ?? 0);
        if (end === 'trouble') inTrouble = true;
        else if (end === 'aside') this.#setAside(id);
        else {
          done++;
          this.#asides.delete(id);
        }
      }
    };
    await Promise.all(Array.from({ length: limits.concurrencyMax }, visitor));
    if (inTrouble) throw new Error('the ledger takes no commands now');
    return done > 0 && items.length >= limits.itemsMax;
  }

  /** The longer, the more often it came to nothing. */
  #setAside(id: string): void {
    const { counters, clock, limits } = this.#ports;
    counters.asides++;
    const { sweepMs, asideMsMax, asideMax } = limits;
    const tries = (this.#asides.get(id)?.tries ?? 0) + 1;
    if (tries === 1 && this.#asides.size >= asideMax) return;
    const pauseMs = Math.min(sweepMs * 2 ** Math.min(tries - 1, DOUBLINGS_MAX), asideMsMax);
    this.#asides.set(id, { untilMs: clock.monotonicMs() + pauseMs, tries });
  }
}
