/**
 * Keeps this process's place among the others: says that it is there, looks who else is, takes its share, gives its surplus
 * away, and takes over from the dead.
 *
 *     join: (claimed) → beat → view → … every beat: view → act → …                     drain: give everything → leave
 *
 * - K1 the barriers of a shard stand before it is served: nothing of its new stay can be published too early (I5).
 * - K2, K3: moves.ts.
 * - K4 one act at a time; beats go on beside it, so that a slow act is not taken for a death.
 * - K5 a process whose writer has another epoch than its own is over: it stops beating, and ends.
 *
 * Of several databases it knows its own: what lives elsewhere is neighbour.ts's.
 *
 * Must not know: SQL, requests, how events are published.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { ShardLimits } from './limits.ts';
import type { ShardMap } from './map.ts';
import { type Lane, Moves } from './moves.ts';
import { planShards } from './plan.ts';
import type { Arrival, Beat, ShardStore, View } from './store.ts';
import { signsOf, Watch } from './watch.ts';

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

export class Keeper {
  readonly #ports: KeeperPorts;
  readonly #watch: Watch;
  readonly moves: Moves;
  /** Beats and looks that failed. */
  failures = 0;
  #view: View | null = null;
  #incarnation = 0;
  #state: 'new' | 'joined' | 'over' = 'new';
  /** Asked to give everything away: for good, or until the operator says otherwise. */
  #isLeaving = false;
  #isUnwanted = false;
  /** When the last beat that was answered had begun. */
  #beatMs = Number.NEGATIVE_INFINITY;
  #foreignEpochs = 0;
  #hasBeatFailed = false;
  #looking: Promise<void> | null = null;
  #nextLook: Promise<void> | null = null;
  #looks = 0;
  #viewNumber = 0;
  #acting: Promise<void> | null = null;
  /** Beats under way. */
  readonly #beating = new Set<Promise<void>>();
  #cancel: (() => void) | null = null;
  #cancelLook: (() => void) | null = null;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
    this.#watch = new Watch(ports.limits);
    this.moves = new Moves({ ...ports, look: () => this.#look(), isJoined: () => this.isJoined });
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

  /**
   * Nobody else was there at the last look, however long ago that was: who is alone goes on showing what it has while the database
   * is away. (If it is away for this process only, a newcomer may take over meanwhile; then old state is shown until the next
   * write or look.) Where there are others, the last beat that found the epoch to be ours has to be young enough.
   */
  get mayShowState(): boolean {
    const { clock, limits } = this.#ports;
    if (this.#state === 'over' || this.#foreignEpochs > 0) return false;
    return this.isAlone || clock.monotonicMs() - this.#beatMs < limits.leaseMs;
  }

  /**
   * As {@link mayShowState}, once the database was asked: who stood still, or was stopped, has not beaten for too long and knows
   * nothing against showing what it has. Those who ask at once share a beat. False at once while beats fail.
   */
  async confirmState(): Promise<boolean> {
    // The beat that is under way may have begun before the standstill: then it says nothing, and there is one more.
    for (let beats = 0; beats < 2 && !this.mayShowState; beats++) {
      if (this.#state !== 'joined' || this.#foreignEpochs > 0 || this.#hasBeatFailed) return false;
      await Promise.allSettled(this.#beating.size > 0 ? this.#beating : [this.#beat()]);
    }
    return this.mayShowState;
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
    const { store, map, log } = this.#ports;
    await this.#acting?.catch((cause: unknown) => {
      log.warn('an act ended with the process', { cause: String(cause) });
    });
    // One that came behind the leave would bring the process back among the others.
    await Promise.allSettled(this.#beating);
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
            this.failures++;
            log.warn('a beat failed', { cause: String(cause) });
          },
        )
        .then(() => this.#next(Math.max(0, limits.beatMs - (clock.monotonicMs() - startedMs))));
    });
  }

  #beat(): Promise<void> {
    const beat = this.#beatOnce().then(
      () => {
        this.#hasBeatFailed = false;
        this.#beating.delete(beat);
      },
      (cause: unknown) => {
        this.#hasBeatFailed = true;
        this.#beating.delete(beat);
        throw cause;
      },
    );
    this.#beating.add(beat);
    return beat;
  }

  async #beatOnce(): Promise<void> {
    const { store, map, clock, address, relays, lane } = this.#ports;
    const startedMs = clock.monotonicMs();
    const heldEpoch = lane.status.epoch;
    const beat = await store.beat({
      writerId: map.writerId,
      incarnation: this.#incarnation,
      address: address(),
      relays,
      draining: this.isDraining,
      epoch: heldEpoch,
    });
    this.#judge(beat, heldEpoch);
    if (this.#state === 'over') return;
    if (this.#foreignEpochs === 0) this.#beatMs = startedMs;
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
        this.failures++;
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
    this.#watch.look(signsOf(view), clock.monotonicMs());
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

  /** By shard: its owner to be. Those of other databases stay with whom they are: their processes plan them. */
  #plan(takers: readonly number[]): readonly number[] {
    const { owners } = this.#ports.map;
    const own = (this.#view?.shards ?? []).map(([shard]) => shard).sort((left, right) => left - right);
    const planned = planShards(
      takers,
      own.map((shard) => owners[shard] as number),
    );
    const plan = [...owners];
    for (const [index, shard] of own.entries()) plan[shard] = planned[index] as number;
    return plan;
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
    const plan = this.#plan(takers);
    for (const writerId of new Set(map.owners)) {
      if (writerId === map.writerId || !this.#watch.isDead(writerId)) continue;
      const epoch = this.#view?.writers.find(({ id }) => id === writerId)?.epoch ?? 0;
      await this.moves.takeOver(writerId, epoch, plan);
    }
    for (const to of takers) {
      if (to === map.writerId) continue;
      const going = map.here.filter((shard) => plan[shard] === to);
      for (let from = 0; from < going.length; from += this.#ports.limits.groupMax) {
        const group = going.slice(from, from + this.#ports.limits.groupMax);
        if (this.#state !== 'joined' || !(await this.moves.handOver(group, to))) return;
      }
    }
  }
}
