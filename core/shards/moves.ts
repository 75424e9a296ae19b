/**
 * The moves of shards away from a writer: by itself, once they have come to rest, or by a taker that raises its epoch (S1).
 *
 * - K2 a shard is handed over at rest only: nothing of it is under way in the runtime, and none of its actors is in memory.
 * - K3 a hand-over whose reply is lost leaves the shard unserved until another compare-and-set at the same version has
 *   been answered: then no ghost of the first can move it any more.
 *
 * Must not know: who is to have which shard, SQL, requests.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import { type AccountId, shards as contract } from '@local-plus/contracts';
import type { ShardLimits } from './limits.ts';
import type { ShardMap } from './map.ts';
import type { ShardStore, VersionedShard } from './store.ts';

/** What of the runtime a move needs. */
export interface Lane {
  drain(belongs: (accountId: AccountId) => boolean, graceMs: number): Promise<boolean>;
  readonly status: { readonly epoch: number; readonly lane: string };
}

export interface MovePorts {
  readonly map: ShardMap;
  readonly store: Pick<ShardStore, 'handOver' | 'takeOver'>;
  readonly lane: Lane;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: ShardLimits;
  /** Looks at the table; what it says is in the map afterwards. */
  readonly look: () => Promise<void>;
  /** The process is still one of the members. */
  readonly isJoined: () => boolean;
  /** The standing of shards may have changed. */
  readonly changed: () => void;
}

/** Plain numbers, read when scraped. */
export class MoveCounters {
  /** Shards that were given away, and taken from the dead; hand-overs of which the reply was lost. */
  handedOver = 0;
  takenOver = 0;
  doubts = 0;
  /** Hand-overs that did not come to rest in time. */
  restless = 0;
  /** How long the shards of the last group were not served here before they were another's. */
  pauseMsLast = 0;
}

export class Moves {
  readonly #ports: MovePorts;
  readonly counters = new MoveCounters();

  constructor(ports: MovePorts) {
    this.#ports = ports;
  }

  /** S1 (b). Gives the shards of a writer that is gone, whose epoch was seen, to those that the plan names. */
  async takeOver(writerId: number, epoch: number, plan: readonly number[]): Promise<void> {
    const { map, store, log, look } = this.#ports;
    const shards = map.owners.flatMap((owner, shard) =>
      owner === writerId && plan[shard] !== writerId
        ? [{ shard, version: map.version(shard), to: plan[shard] as number }]
        : [],
    );
    if (shards.length === 0) return;
    const moved = await store.takeOver({ writerId, epoch }, shards);
    if (moved === 0) return;
    this.counters.takenOver += moved;
    log.warn('shards were taken over from a process that is gone', { writerId, epoch, shards: moved });
    await look();
  }

  /** K2. False: not now; what was not handed over is served here again. */
  async handOver(group: readonly number[], to: number): Promise<boolean> {
    const { map, lane, store, clock, log, limits, changed } = this.#ports;
    const startedMs = clock.monotonicMs();
    const isOfGroup = new Set(group);
    map.leave(group);
    const isAtRest = await lane.drain((accountId) => isOfGroup.has(contract.shardOf(accountId)), limits.restMs);
    if (!isAtRest) {
      this.counters.restless++;
      for (const shard of group) map.stay(shard);
      changed();
      return false;
    }
    const versioned = group.map((shard) => ({ shard, version: map.version(shard) }));
    try {
      const { epoch } = lane.status;
      const moved = await store.handOver({ writerId: map.writerId, epoch }, to, versioned, limits.deadMs);
      for (const { shard, version } of moved) map.learn(shard, to, version);
      // It was answered, and so nothing of it is under way: what did not move is still ours, or the table says whose.
      await this.#settle(versioned);
      this.counters.handedOver += moved.length;
      this.counters.pauseMsLast = clock.monotonicMs() - startedMs;
      const pauseMs = Math.round(this.counters.pauseMsLast);
      if (moved.length > 0) log.info('shards were handed over', { to, shards: moved.length, pauseMs });
      return moved.length === group.length;
    } catch (cause) {
      this.counters.doubts++;
      log.warn('it is not known whether shards were handed over', { to, shards: group.length, cause: String(cause) });
      await this.#reclaim(versioned);
      return false;
    } finally {
      changed();
    }
  }

  /** Those that are not at home elsewhere by now are served here again. */
  async #settle(versioned: readonly VersionedShard[]): Promise<void> {
    const { map } = this.#ports;
    const isOpen = ({ shard }: VersionedShard): boolean => map.standing(shard) === 'leaving';
    if (!versioned.some(isOpen)) return;
    await this.#ports.look();
    for (const { shard } of versioned.filter(isOpen)) map.stay(shard);
  }

  /** K3: a move to oneself at the same version. Ends by the database's answer, or with the process. */
  async #reclaim(versioned: readonly VersionedShard[]): Promise<void> {
    const { map, store, lane, timer, log, limits, isJoined } = this.#ports;
    let pauseMs = limits.doubtMs;
    const open = () => versioned.filter(({ shard }) => map.standing(shard) === 'leaving');
    while (isJoined() && open().length > 0) {
      try {
        const { epoch } = lane.status;
        const back = await store.handOver({ writerId: map.writerId, epoch }, map.writerId, open(), limits.deadMs);
        for (const { shard, version } of back) map.learn(shard, map.writerId, version);
        await this.#ports.look();
      } catch (cause) {
        log.warn('it is still not known whether shards were handed over', { cause: String(cause) });
      }
      if (open().length === 0) return;
      await new Promise<void>((resolve) => timer.after(pauseMs, resolve));
      pauseMs = Math.min(pauseMs * 2, limits.doubtMsMax);
    }
  }
}
