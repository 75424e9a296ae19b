/**
 * Keeps this process's place among the others: says that it is there, looks who else is, takes its share, gives its surplus
 * away, and takes over from the dead.
 *
 *     join: (claimed) → beat → view → … every beat: view → act → …                     drain: give everything → leave
 *
 * - K1 the barriers of a shard stand before it is served: nothing of its new stay can be published too early (I5).
 * - K2 a shard is handed over at rest only: nothing of it is under way in the runtime, and none of its actors is in memory.
 * - K3 a hand-over whose reply is lost leaves the shard unserved until another compare-and-set at the same version has
 *   been answered: then no ghost of the first can move it any more.
 * - K4 one act at a time; beats go on beside it, so that a slow act is not taken for a death.
 * - K5 a process whose writer has another epoch than its own is over: it stops beating, and ends.
 *
 * Must not know: SQL, requests, how events are published.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import { type AccountId, shards as contract } from '@local-plus/contracts';
import type { ShardLimits } from './limits.ts';
import type { ShardMap } from './map.ts';
import { planShards } from './plan.ts';
import type { Arrival, Beat, ShardStore, VersionedShard, View } from './store.ts';
import { Watch } from './watch.ts';

/** What of the runtime a move needs. */
export interface Lane {
  drain(belongs: (accountId: AccountId) => boolean, graceMs: number): Promise<boolean>;
  readonly status: { readonly epoch: number; readonly lane: string };
}

export interface KeeperPorts {
  readonly map: ShardMap;
  readonly store: Pick<ShardStore, 'beat' | 'leave' | 'view' | 'handOver' | 'takeOver'>;
  readonly lane: Lane;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: ShardLimits;
  readonly address: () => string;
  readonly relays: boolean;
  /** K1. */
  readonly expect: (arrivals: readonly Arrival[]) => void;
  /** Writers whose events nobody else publishes, for this process to publish. */
  readonly tend: (writerIds: readonly number[]) => void;
  /** The map or the members have changed. */
  readonly changed: () => void;
  /** K5. */
  readonly superseded: () => void;
}

/** Plain numbers, read when scraped. */
export class KeeperCounters {
  /** Shards that were given away, and taken from the dead; hand-overs of which the reply was lost. */
  handedOver = 0;
  takenOver = 0;
  doubts = 0;
  /** Hand-overs that did not come to rest in time. */
  restless = 0;
  /** How long the shards of the last group were not served here before they were another's. */
  pauseMsLast = 0;
  failures = 0;
}

export class Keeper {
  readonly #ports: KeeperPorts;
  readonly #watch: Watch;
  readonly counters = new KeeperCounters();
  #view: View | null = null;
  #incarnation = 0;
  #state: 'new' | 'joined' | 'over' = 'new';
  /** Asked to give everything away: for good, or until the operator says otherwise. */
  #isLeaving = false;
  #isUnwanted = false;
  /** When the last beat that was answered had begun. */
  #beatMs = Number.NEGATIVE_INFINITY;
  #foreignEpochs = 0;
  #looking: Promise<void> | null = null;
  #nextLook: Promise<void> | null = null;
  #looks = 0;
  #viewNumber = 0;
  #acting: Promise<void> | null = null;
  #cancel: (() => void) | null = null;
  #cancelLook: (() => void) | null = null;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
    this.#watch = new Watch(ports.limits);
  }

  get isJoined(): boolean {
    return this.#state === 'joined';
  }

  get isDraining(): boolean {
    return this.#isLeaving || this.#isUnwanted;
  }

  get view(): View | null {
    return this.#view;
  }

  /** Nobody else can have taken over, however long the database was not heard of; or the last beat is young enough. */
  get mayShowState(): boolean {
    const { clock, limits } = this.#ports;
    return this.isAlone || clock.monotonicMs() - this.#beatMs < limits.leaseMs;
  }

  get isAlone(): boolean {
    return (this.#view?.members.length ?? 0) <= 1;
  }

  isLive(writerId: number): boolean {
    return writerId === this.#ports.map.writerId ? this.isJoined : this.#watch.isLive(writerId);
  }

  /** null: nobody knows where that process is reached. */
  addressOf(writerId: number): string | null {
    return this.#view?.members.find((member) => member.writer_id === writerId)?.address ?? null;
  }

  /** After the writer was claimed. Tries until the database answers, or until it is stopped. */
  async join(): Promise<void> {
    const { lane, limits, log, timer } = this.#ports;
    this.#incarnation = lane.status.epoch;
    while (this.#state === 'new') {
      try {
        await this.#beat();
        await this.#look();
        if (this.#state === 'new' && this.#view !== null) this.#state = 'joined';
      } catch (cause) {
        log.warn('the process has not joined yet', { cause: String(cause) });
        await new Promise<void>((resolve) => timer.after(limits.beatMs, resolve));
      }
    }
    this.#ports.changed();
    this.#next(0);
  }

  /** Somebody has news: the table is looked at soon. */
  poke(): void {
    if (this.#state !== 'joined' || this.#cancelLook !== null) return;
    const { timer, limits } = this.#ports;
    this.#cancelLook = timer.after(limits.refreshMs, () => {
      this.#cancelLook = null;
      this.#lookAndAct();
    });
  }

  /** Gives every shard to the others, within `graceMs`; does nothing where there is nobody. Beats go on. */
  async drain(graceMs: number): Promise<void> {
    if (this.#state !== 'joined') return;
    this.#isLeaving = true;
    const { clock, timer, limits, map, lane, log } = this.#ports;
    const endMs = clock.monotonicMs() + graceMs;
    while (this.#isOwning(map) && this.#takers().length > 0 && clock.monotonicMs() < endMs) {
      if (lane.status.lane === 'superseded' || this.#state !== 'joined') return;
      try {
        await this.#beat();
        await this.#look();
        await this.#act();
      } catch (cause) {
        log.warn('the shards are not handed over yet', { cause: String(cause) });
      }
      if (this.#isOwning(map)) await new Promise<void>((resolve) => timer.after(limits.doubtMs, resolve));
    }
    if (this.#isOwning(map)) log.warn('shards stay with a process that stops', { takers: this.#takers().length });
  }

  /** No beat any more; the others are told that nobody runs here. Never rejects. */
  async stop(): Promise<void> {
    const wasJoined = this.#state === 'joined';
    this.#end();
    await this.#acting;
    const { store, map, log } = this.#ports;
    if (!wasJoined) return;
    await store.leave({ writerId: map.writerId, incarnation: this.#incarnation }).catch((cause: unknown) => {
      log.warn('the process could not leave: the others will notice', { cause: String(cause) });
    });
  }

  #end(): void {
    this.#state = 'over';
    this.#cancel?.();
    this.#cancelLook?.();
  }

  #isOwning(map: ShardMap): boolean {
    return map.owners.includes(map.writerId);
  }

  #next(delayMs: number): void {
    if (this.#state !== 'joined') return;
    const { timer, clock, limits, log } = this.#ports;
    this.#cancel = timer.after(delayMs, () => {
      const startedMs = clock.monotonicMs();
      this.#beat()
        .then(
          () => this.#lookAndAct(),
          (cause: unknown) => {
            this.counters.failures++;
            log.warn('a beat failed', { cause: String(cause) });
          },
        )
        .then(() => this.#next(Math.max(0, limits.beatMs - (clock.monotonicMs() - startedMs))));
    });
  }

  async #beat(): Promise<void> {
    const { store, map, clock, address, relays, lane } = this.#ports;
    const startedMs = clock.monotonicMs();
    const heldEpoch = lane.status.epoch;
    const beat = await store.beat({
      writerId: map.writerId,
      incarnation: this.#incarnation,
      address: address(),
      relays,
      draining: this.isDraining,
    });
    this.#judge(beat, heldEpoch);
    if (this.#state === 'over') return;
    this.#beatMs = startedMs;
    this.#isUnwanted = beat.drainWanted;
  }

  /** K5. The lane raises its own epoch now and then: only what two beats find, and the lane does not know, is foreign. */
  #judge({ isNewest, epoch }: Beat, heldEpoch: number): void {
    const isForeign = epoch !== heldEpoch && epoch !== this.#ports.lane.status.epoch;
    this.#foreignEpochs = isForeign ? this.#foreignEpochs + 1 : 0;
    if (this.#state === 'over' || (isNewest && this.#foreignEpochs < 2)) return;
    this.#end();
    this.#ports.log.error('another process took over from this one', { writerId: this.#ports.map.writerId });
    this.#ports.superseded();
  }

  #lookAndAct(): void {
    this.#look()
      .then(() => this.#act())
      .catch((cause: unknown) => {
        this.counters.failures++;
        this.#ports.log.warn('the shards cannot be looked at', { cause: String(cause) });
      });
  }

  /** Begins after the question: who asks during a look gets the next one, and shares it with the others who do. */
  #look(): Promise<void> {
    if (this.#looking === null) return this.#beginLook();
    this.#nextLook ??= this.#looking
      .catch(() => undefined)
      .then(() => {
        this.#nextLook = null;
        return this.#beginLook();
      });
    return this.#nextLook;
  }

  #beginLook(): Promise<void> {
    const look = this.#lookOnce(++this.#looks).finally(() => {
      if (this.#looking === look) this.#looking = null;
    });
    this.#looking = look;
    return look;
  }

  async #lookOnce(number: number): Promise<void> {
    const { store, map, expect, changed } = this.#ports;
    const view = await store.view(map.writerId);
    if (this.#state === 'over') return;
    // K1, S2: of shards every look is welcome; of members the newest one counts.
    expect(view.arrivals);
    for (const [shard, owner, version] of view.shards) map.learn(shard, owner, version);
    if (number > this.#viewNumber) {
      this.#viewNumber = number;
      this.#see(view);
    }
    changed();
  }

  #see(view: View): void {
    const { clock, tend } = this.#ports;
    this.#view = view;
    const epochs = new Map(view.writers.map(({ id, epoch }) => [id, epoch]));
    const members = new Map(view.members.map((member) => [member.writer_id, member]));
    const everybody = new Set([...epochs.keys(), ...members.keys(), ...view.shards.map(([, owner]) => owner)]);
    const signs = [...everybody].map((writerId) => {
      const member = members.get(writerId);
      return {
        writerId,
        sign: `${epochs.get(writerId) ?? 0} ${member?.incarnation ?? 0} ${member?.seen_at ?? ''}`,
        joined: member !== undefined,
      };
    });
    this.#watch.look(signs, clock.monotonicMs());
    tend(this.#orphans(view));
  }

  /** Of those without a process of their own, all go to one: the first of the living that publish. */
  #orphans(view: View): readonly number[] {
    const { relays, map } = this.#ports;
    const publishing = view.members.filter((member) => member.relays && this.isLive(member.writer_id));
    const [first] = publishing.map(({ writer_id }) => writer_id).sort((a, b) => a - b);
    if (!relays || first !== map.writerId) return [];
    return view.writers.map(({ id }) => id).filter((id) => id !== map.writerId && this.#watch.isDead(id));
  }

  /** Those who take shards; this one, too, unless it gives its own away. */
  #takers(): readonly number[] {
    const { map } = this.#ports;
    const others = (this.#view?.members ?? []).filter(
      (member) => member.writer_id !== map.writerId && !member.draining && this.#watch.isLive(member.writer_id),
    );
    return [...others.map(({ writer_id }) => writer_id), ...(this.isDraining ? [] : [map.writerId])];
  }

  /** K4. */
  async #act(): Promise<void> {
    if (this.#acting !== null) return this.#acting;
    this.#acting = this.#actOnce().finally(() => {
      this.#acting = null;
    });
    return this.#acting;
  }

  async #actOnce(): Promise<void> {
    const { map, lane } = this.#ports;
    if (this.#state !== 'joined' || lane.status.lane !== 'running') return;
    const takers = this.#takers();
    const plan = planShards(takers, map.owners);
    await this.#takeOver(plan);
    for (const to of takers) {
      if (to === map.writerId) continue;
      const going = map.here.filter((shard) => plan[shard] === to);
      for (let from = 0; from < going.length; from += this.#ports.limits.groupMax) {
        const group = going.slice(from, from + this.#ports.limits.groupMax);
        if (this.#state !== 'joined' || !(await this.#handOver(group, to))) return;
      }
    }
  }

  /** S1 (b). */
  async #takeOver(plan: readonly number[]): Promise<void> {
    const { map, store, log } = this.#ports;
    const dead = new Set(map.owners.filter((owner) => owner !== map.writerId && this.#watch.isDead(owner)));
    for (const writerId of dead) {
      if (!this.#watch.isDead(writerId)) continue;
      const shards = map.owners.flatMap((owner, shard) =>
        owner === writerId && plan[shard] !== writerId
          ? [{ shard, version: map.version(shard), to: plan[shard] as number }]
          : [],
      );
      if (shards.length === 0) continue;
      const epoch = this.#view?.writers.find(({ id }) => id === writerId)?.epoch ?? 0;
      const moved = await store.takeOver({ writerId, epoch }, shards);
      if (moved === 0) continue;
      this.counters.takenOver += moved;
      log.warn('shards were taken over from a process that is gone', { writerId, epoch, shards: moved });
      await this.#look();
    }
  }

  /** K2. False: not now; what was not handed over is served here again. */
  async #handOver(group: readonly number[], to: number): Promise<boolean> {
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
    await this.#look();
    for (const { shard } of versioned.filter(isOpen)) map.stay(shard);
  }

  /** K3: a move to oneself at the same version. Ends by the database's answer, or with the process. */
  async #reclaim(versioned: readonly VersionedShard[]): Promise<void> {
    const { map, store, lane, timer, log, limits } = this.#ports;
    let pauseMs = limits.doubtMs;
    const open = () => versioned.filter(({ shard }) => map.standing(shard) === 'leaving');
    while (this.#state === 'joined' && open().length > 0) {
      try {
        const { epoch } = lane.status;
        const back = await store.handOver({ writerId: map.writerId, epoch }, map.writerId, open(), limits.deadMs);
        for (const { shard, version } of back) map.learn(shard, map.writerId, version);
        await this.#look();
      } catch (cause) {
        log.warn('it is still not known whether shards were handed over', { cause: String(cause) });
      }
      if (open().length === 0) return;
      await new Promise<void>((resolve) => timer.after(pauseMs, resolve));
      pauseMs = Math.min(pauseMs * 2, limits.doubtMsMax);
    }
  }
}
