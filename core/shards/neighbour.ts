/**
 * Another database of the ledger, looked at from here: whose its shards are, and where those processes are reached.
 *
 * Hearsay (S3): it says where a request goes, and never makes a shard this process's own. What was seen last holds while
 * that database cannot be looked at: its processes may still answer, and say themselves what they cannot do.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { ShardLimits } from './limits.ts';
import type { ShardMap } from './map.ts';
import type { ShardStore, View } from './store.ts';
import { signsOf, Watch } from './watch.ts';

export interface NeighbourPorts {
  readonly databaseId: number;
  readonly map: ShardMap;
  readonly store: Pick<ShardStore, 'view' | 'wanted' | 'wish'>;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: Pick<ShardLimits, 'beatMs' | 'refreshMs' | 'deadMs' | 'absentMs' | 'gapMs'>;
  /** The map or the members have changed. */
  readonly changed: () => void;
}

export class Neighbour {
  readonly #ports: NeighbourPorts;
  readonly #watch: Watch;
  #view: View | null = null;
  #seenMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  #isAgain = false;
  #isAway = false;
  #isRunning = false;
  #cancel: (() => void) | null = null;
  #cancelPoke: (() => void) | null = null;

  constructor(ports: NeighbourPorts) {
    this.#ports = ports;
    this.#watch = new Watch(ports.limits);
  }

  get databaseId(): number {
    return this.#ports.databaseId;
  }

  get store(): NeighbourPorts['store'] {
    return this.#ports.store;
  }

  /** As of the last look that was answered. */
  get view(): View | null {
    return this.#view;
  }

  /** How old that is; infinite before the first. */
  get ageMs(): number {
    return this.#ports.clock.monotonicMs() - this.#seenMs;
  }

  isLive(writerId: number): boolean {
    return this.ageMs < this.#ports.limits.deadMs && this.#watch.isLive(writerId);
  }

  /** Returns at once. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#look();
  }

  stop(): void {
    this.#isRunning = false;
    this.#cancel?.();
    this.#cancelPoke?.();
  }

  /** Somebody has news: it is looked at soon. */
  poke(): void {
    if (!this.#isRunning || this.#cancelPoke !== null) return;
    const { timer, limits } = this.#ports;
    this.#cancelPoke = timer.after(limits.refreshMs, () => {
      this.#cancelPoke = null;
      void this.#look();
    });
  }

  /** One at a time; who asks meanwhile gets one more after it. */
  async #look(): Promise<void> {
    if (this.#isLooking) {
      this.#isAgain = true;
      return;
    }
    this.#isLooking = true;
    this.#cancel?.();
    const { databaseId, map, store, log } = this.#ports;
    try {
      this.#see(await store.view(map.writerId));
      if (this.#isAway) log.info('a database of the ledger is looked at again', { databaseId });
      this.#isAway = false;
    } catch (cause) {
      if (!this.#isAway) log.warn('a database of the ledger cannot be looked at', { databaseId, cause: String(cause) });
      this.#isAway = true;
    }
    this.#isLooking = false;
    this.#next();
  }

  #next(): void {
    const { timer, limits } = this.#ports;
    if (!this.#isRunning) return;
    this.#cancel = timer.after(this.#isAgain ? limits.refreshMs : limits.beatMs, () => void this.#look());
    this.#isAgain = false;
  }

  #see(view: View): void {
    const { map, clock, changed } = this.#ports;
    this.#view = view;
    this.#seenMs = clock.monotonicMs();
    this.#watch.look(signsOf(view), this.#seenMs);
    for (const [shard, owner, version] of view.shards) map.hear(shard, owner, version);
    changed();
  }
}
