/**
 * The door of the runtime: admit, find the actor, wait for the outcome.
 *
 * Every accepted command is answered exactly once, at its deadline at the latest. I3: an answer that says that nothing
 * happened is given only where nothing will; everything else is `unavailable`, and the same key tells later.
 */
import type { AccountId } from '@local-plus/contracts';
import type { AccountState } from '../account/model.ts';
import type { Clock, CommittedBatch, LedgerStore, Log, Timer } from '../ports.ts';
import { type Actor, Pending, PendingPart } from './actor.ts';
import { Admission, type RefusalReason } from './admission.ts';
import { replayOf } from './assembler.ts';
import { Chain } from './chain.ts';
import { Directory } from './directory.ts';
import { Lane } from './lane.ts';
import type { LaneCounters, LaneState } from './lane-ports.ts';
import { checkRuntimeLimits, type RuntimeLimits, runtimeLimits } from './limits.ts';
import type { AccountRequest, Outcome, Part } from './outcome.ts';
import { type Tenant, Tenants } from './tenants.ts';

export interface RuntimePorts {
  readonly store: LedgerStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  /** SHA-256 of a text, 64 lower-case hex characters. */
  readonly digest: (text: string) => string;
  readonly writerId: number;
  readonly limits?: RuntimeLimits;
  /** Called in batch order, right after each commit. Must be quick and must not throw. */
  readonly committed?: (batch: CommittedBatch) => void;
  /** Another process owns the writer: this one must end. */
  readonly superseded?: () => void;
}

export interface RuntimeStatus {
  readonly lane: LaneState;
  readonly actors: number;
  readonly actorsEvicted: number;
  /** Actors that got their state back without a load. */
  readonly actorsUnshelved: number;
  /** Accounts without an actor whose state is in memory. */
  readonly shelved: number;
  readonly pending: number;
  readonly epoch: number;
  readonly batch: number;
  readonly replays: number;
  readonly lookUpStatements: number;
  /** How long what comes behind everything that waits now would wait for its turn. */
  readonly backlogMs: number;
  /** Tenants that have something waiting. */
  readonly tenantsWaiting: number;
  /** Commands that were not let in, by reason. */
  readonly refusals: Readonly<Record<RefusalReason, number>>;
  readonly counters: LaneCounters;
}

const noParts: readonly PendingPart[] = [];

export class Runtime {
  readonly #ports: RuntimePorts;
  readonly #limits: RuntimeLimits;
  readonly #directory: Directory;
  readonly #lane: Lane;
  readonly #tenants: Tenants<Actor>;
  readonly #admission: Admission;
  readonly #pendings = new Chain<Pending>();
  #cancelSweep: (() => void) | null = null;
  #accepting = false;

  constructor(ports: RuntimePorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? runtimeLimits;
    checkRuntimeLimits(this.#limits);
    this.#directory = new Directory(this.#limits);
    this.#lane = new Lane({
      ...ports,
      limits: this.#limits,
      settle: (pending, outcome) => this.#settle(pending, outcome),
      committed: ports.committed ?? (() => undefined),
      superseded: ports.superseded ?? (() => undefined),
    });
    this.#tenants = new Tenants(this.#limits.tenantsMax);
    const { clock } = ports;
    this.#admission = new Admission(this.#limits, clock, this.#lane, this.#lane.lookUps, this.#tenants);
  }

  /** Claims the writer; commands are accepted from here on. */
  async start(): Promise<void> {
    await this.#lane.start();
    this.#accepting = this.#lane.state === 'running';
    this.#sweepLater();
  }

  get status(): RuntimeStatus {
    return {
      lane: this.#lane.state,
      actors: this.#directory.size,
      actorsEvicted: this.#directory.evictedTotal,
      actorsUnshelved: this.#directory.unshelvedTotal,
      shelved: this.#directory.shelved,
      pending: this.#pendings.size,
      replays: this.#lane.replaysTotal,
      lookUpStatements: this.#lane.lookUpStatementsTotal,
      backlogMs: this.#admission.backlogMs(),
      tenantsWaiting: this.#tenants.activeCount,
      refusals: this.#admission.refusals,
      counters: this.#lane.counters,
      ...this.#lane.position,
    };
  }

  submit(request: AccountRequest): Promise<Outcome> {
    return new Promise((answer) => this.post(request, answer));
  }

  /** As {@link submit}, without a promise: `answer` is called exactly once, possibly before this returns. */
  post(request: AccountRequest, answer: (outcome: Outcome) => void): void {
    if (!this.#accepting || this.#lane.state !== 'running') return answer({ type: 'unavailable' });
    const { accountId, idempotencyKey, programId } = request.facts;
    const tenant = this.#tenants.of(request.tenant ?? programId);
    const known = this.#directory.find(accountId);
    const first = known?.onTheWay(idempotencyKey) ?? null;
    const placesFree = this.#limits.pendingMax - this.#pendings.size;
    // Who only waits with another one costs nothing, however much waits.
    const deadlineMs = first === null ? request.deadlineMs : Number.POSITIVE_INFINITY;
    const reason = this.#admission.refusalOf(tenant, known?.mailboxLength ?? 0, placesFree, deadlineMs);
    if (reason !== null) return answer(this.#refuse(tenant, reason));
    const actor = this.#directory.summon(accountId, known);
    if (actor === null) return answer(this.#refuse(tenant, 'process'));
    const also = first || request.also === undefined ? noParts : this.#partsOf(actor, request.also);
    if (also === null) return answer(this.#refuse(tenant, 'process'));
    const pending = new Pending(request, actor, tenant, also, answer);
    pending.isFollower = first !== null;
    this.#pendings.add(pending);
    this.#admission.entered(pending);
    if (first) {
      first.followers ??= [];
      first.followers.push(pending);
      return;
    }
    actor.enqueue(pending);
    for (const part of also) {
      part.actor.depend(actor);
      part.actor.register(part);
      if (part.actor.committed === null && !part.actor.loading) this.#lane.load(part.actor);
    }
    if (actor.committed === null && !actor.loading) this.#lane.load(actor);
    this.#lane.enter(pending);
  }

  /**
   * Asked before anything of a request is looked at but who sends it: how long a command of this tenant had better stay
   * away, in milliseconds; 0: it may come. Nobody is sent away whom {@link post} would accept, but for want of places, or
   * when its key is on its way already.
   *
   * @param accountId null: not known yet
   * @param deadlineMs by the monotonic clock
   * @param placesFree how many more requests the asker has room for
   */
  sendAway(tenantName: string, accountId: AccountId | null, deadlineMs: number, placesFree: number): number {
    const admission = this.#admission;
    if (admission.isRoomy(placesFree) || !this.#accepting || this.#lane.state !== 'running') return 0;
    const tenant = this.#tenants.find(tenantName);
    if (tenant === undefined) return 0;
    const actor = accountId === null ? undefined : this.#directory.find(accountId);
    const reason = admission.refusalOf(tenant, actor?.mailboxLength ?? 0, placesFree, deadlineMs);
    return reason === null ? 0 : admission.refused(tenant, reason);
  }

  #refuse(tenant: Tenant<Actor>, reason: RefusalReason): Outcome {
    return { type: 'overloaded', retryAfterMs: this.#admission.refused(tenant, reason) };
  }

  #leave(pending: Pending): void {
    if (!pending.isListed) return;
    this.#pendings.delete(pending);
    this.#admission.left(pending);
  }

  /** The further parts with their actors; null: there is no room for them, or one of their keys is on the way. */
  #partsOf(first: Actor, parts: readonly Part[]): readonly PendingPart[] | null {
    const { partsMax } = this.#limits;
    if (parts.length >= partsMax) throw new RangeError(`a request has at most ${partsMax} parts`);
    const found: PendingPart[] = [];
    // Whoever was found must not make room for the next one.
    first.depend(first);
    for (const part of parts) {
      const actor = this.#directory.summon(part.facts.accountId);
      if (actor === null || actor.onTheWay(part.facts.idempotencyKey)) break;
      actor.depend(first);
      found.push(new PendingPart(actor, part));
    }
    first.undepend(first);
    for (const { actor } of found) actor.undepend(first);
    return found.length === parts.length ? found : null;
  }

  /** The committed state of an account (I4); null when the store is away or too much waits. */
  read(accountId: AccountId): Promise<AccountState | null> | AccountState | null {
    if (!this.#accepting || this.#lane.state !== 'running') return null;
    const actor = this.#directory.summon(accountId);
    if (actor === null) return null;
    if (actor.committed !== null) return actor.committed;
    const readers = actor.readers ?? [];
    if (readers.length >= this.#limits.mailboxMax) return null;
    actor.readers = readers;
    return new Promise((answer) => {
      readers.push(answer);
      if (!actor.loading) this.#lane.load(actor);
    });
  }

  /**
   * Lets go of the accounts that `belongs` names: resolves to true when nothing of theirs is under way and none of their
   * actors is left, so that the store alone knows them. False: not within `graceMs`, or the writer is lost; then nothing
   * has changed for them. From the call on, and until they are wanted here again, the caller asks for none of them.
   */
  async drain(belongs: (accountId: AccountId) => boolean, graceMs: number): Promise<boolean> {
    const { clock, timer } = this.#ports;
    const endMs = clock.monotonicMs() + graceMs;
    let busy: Actor[] = [];
    for (const actor of this.#directory.all()) if (belongs(actor.accountId)) busy.push(actor);
    for (;;) {
      busy = busy.filter((actor) => !this.#directory.evict(actor));
      // What a lane that ends gives up is not known to be over.
      if (this.#lane.state === 'superseded' || this.#lane.state === 'stopped') return false;
      if (busy.length === 0) {
        this.#directory.clearShelf();
        return true;
      }
      if (clock.monotonicMs() >= endMs) return false;
      await new Promise<void>((resolve) => timer.after(this.#limits.drainPollMs, resolve));
    }
  }

  /** Accepts nothing more, lets what is accepted finish for `graceMs` at most, and gives the connection up. */
  async stop(graceMs: number): Promise<void> {
    this.#accepting = false;
    const { clock, timer, store } = this.#ports;
    const endMs = clock.monotonicMs() + graceMs;
    while (this.#pendings.size > 0 && clock.monotonicMs() < endMs && this.#lane.state !== 'superseded') {
      await new Promise<void>((resolve) => timer.after(5, resolve));
    }
    this.#lane.stop();
    this.#cancelSweep?.();
    for (const pending of this.#pendings.filter(() => true)) {
      this.#leave(pending);
      pending.answer({ type: 'unavailable' });
    }
    for (const actor of this.#directory.all()) actor.failReaders();
    await store.reset('writes');
    await store.reset('reads');
  }

  #settle(pending: Pending, outcome: Outcome): void {
    if (pending.actor.release(pending)) {
      for (const part of pending.also) {
        part.actor.release(part);
        part.actor.undepend(pending.actor);
      }
    }
    this.#leave(pending);
    pending.answer(outcome);
    const { followers } = pending;
    if (followers === null) return;
    pending.followers = null;
    for (const follower of followers) {
      this.#leave(follower);
      follower.answer(outcomeForFollower(outcome, pending, follower));
    }
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#ports.timer.after(this.#limits.sweepMs, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  /** Answers what is past its deadline: `expired` where it is undecided and thus never executes. */
  #sweep(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    for (const pending of this.#pendings.filter(({ request }) => request.deadlineMs <= nowMs)) {
      const { facts } = pending.request;
      if (pending.decided) pending.answer({ type: 'unavailable' });
      else if (pending.actor.onTheWay(facts.idempotencyKey) === pending) this.#settle(pending, { type: 'expired' });
      else pending.answer({ type: 'unavailable' });
    }
  }
}

/**
 * A follower asked the same key: it gets the same outcome if it asked for the same, else learns that it did not. Where the
 * key is a further part's, it is that request's only once it was posted; otherwise the follower is to come again.
 */
function outcomeForFollower(outcome: Outcome, first: Pending, follower: Pending): Outcome {
  if (follower.facts.idempotencyKey !== first.facts.idempotencyKey || follower.actor !== first.actor) {
    if (outcome.type === 'posted') return { type: 'key_reused' };
    return outcome.type === 'unavailable' ? outcome : { type: 'overloaded' };
  }
  const { requestHash } = follower.facts;
  // The key is somebody else's; that may be the follower, who comes again, while the one before made a mistake.
  if (outcome.type === 'key_reused' && first.found !== null) return replayOf(first.found, requestHash);
  if (outcome.type === 'key_reused') return first.facts.requestHash === requestHash ? outcome : { type: 'overloaded' };
  if (outcome.type !== 'posted' && outcome.type !== 'refused') return outcome;
  if (first.facts.requestHash !== requestHash) return { type: 'key_reused' };
  return outcome.type === 'posted' ? { ...outcome, replayed: true, also: [] } : { ...outcome, replayed: true };
}
