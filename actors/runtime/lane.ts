/**
 * The commit lane: one writer, at most two batches in flight, many accounts' commands in each.
 *
 *     waiting ─look-up→ ready ─decide→ flight ─statement→ in the air ─reply→ committed
 *
 * W1 A statement is sent when none is in the air, with whatever is there: no linger, bounded size. A second one follows
 *    it on the same connection as soon as it is worth a statement of its own, so that the store need not wait for us.
 * W2 Batch n + 1 is applied only on top of batch n: the fence compares, the connection keeps the order.
 * W3 A command is decided in a state that holds every batch before its own: after its key was looked up, or, as long as
 *    nobody repeats himself, for an optimistic batch: one that the store refuses if a key was used.
 * W4 What a batch made true leaves the lane only after its commit and its predecessor's (I4); replies are taken in order.
 * W5 After an unknown outcome nothing is decided: what is in the air is sent again, in order, until it is known to be
 *    committed, or the writer to be superseded. Time decides nothing here; it only paces the attempts.
 * W6 After a refused batch everything decided goes back, in order, and batches shrink until the culprit stands alone.
 * W7 Numbers are given again only when nobody else can carry them: a refused batch waits for its successor's reply; and
 *    where that may still be on its way on a lost connection, the epoch is raised before anything is decided again.
 *
 * Knows no SQL and no wire. How W3 comes about stands in look-ups.ts, how a batch is filled in assembler.ts.
 */
import type { Batch, RefusedRow, StoreFailure, WriterPosition } from '../ports.ts';
import type { Actor, Pending } from './actor.ts';
import type { CommitStage, LookUpStage } from './admission.ts';
import { Assembler, type Rows } from './assembler.ts';
import { claim } from './claim.ts';
import { type Flight, isRefused, postedAt } from './flight.ts';
import { LaneCounters, type LanePorts, type LaneState } from './lane-ports.ts';
import { LookUps } from './look-ups.ts';
import { Pace } from './pace.ts';

export class Lane implements CommitStage {
  readonly #ports: LanePorts;
  readonly #assembler: Assembler;
  readonly #lookUps: LookUps;
  readonly counters = new LaneCounters();
  readonly pace = new Pace();
  #state: LaneState = 'starting';
  /** In the order in which they were sent. */
  readonly #flights: Flight[] = [];
  /** W5: what is in the air is being sent again; a reply to the first sending says nothing any more. */
  #resolving = false;
  #flushSoon = false;
  #epoch = 0;
  /** The last batch known to be committed. */
  #batch = 0;
  /** Commands per batch for now: halved by a refused statement, doubled by a committed one (W6). */
  #commandsMaxNow: number;
  /** Keys to be looked up before the next optimistic batch: counted from the last one that was used. */
  #keysUntilOptimistic = 0;
  /** What it counts from: the more, the more the last mistake has cost. */
  #keysInDoubt = 0;

  constructor(ports: LanePorts) {
    this.#ports = ports;
    this.#assembler = new Assembler({ ...ports, reload: (actor) => this.load(actor) });
    this.#lookUps = new LookUps({
      ...ports,
      wake: (actor) => this.#assembler.wakeAround(actor),
      found: (wasUsed) => {
        if (wasUsed) this.#keysUntilOptimistic = this.#keysInDoubt;
        this.#flush();
      },
      failed: (actor) => {
        actor.failReaders();
        this.#empty(actor);
        for (const dependent of [...actor.dependents]) this.#empty(dependent);
      },
    });
    this.#commandsMaxNow = ports.limits.batchCommandsMax;
  }

  get state(): LaneState {
    return this.#state;
  }

  get position(): WriterPosition {
    return { epoch: this.#epoch, batch: this.#batch };
  }

  get flightCount(): number {
    return this.#flights.length;
  }

  get oldestSentMs(): number | null {
    return this.#flights[0]?.sentMs ?? null;
  }

  get rowsInFlight(): number {
    let rowCount = 0;
    for (const { rows } of this.#flights) rowCount += rows.size;
    return rowCount;
  }

  get perStatement(): number {
    return this.#commandsMaxNow;
  }

  get lookUps(): LookUpStage {
    return this.#lookUps;
  }

  get replaysTotal(): number {
    return this.#assembler.replaysTotal;
  }

  get lookUpStatementsTotal(): number {
    return this.#lookUps.statementsTotal;
  }

  /** Takes the writer over. Tries, paced, until it succeeds or the lane is stopped. */
  start(): Promise<void> {
    return new Promise((started) => {
      const isStopped = (): boolean => this.#state === 'stopped';
      claim(this.#ports, isStopped, (position) => {
        if (position !== null) this.#claimed(position);
        started();
      });
    });
  }

  #claimed({ epoch, batch }: WriterPosition): void {
    this.#epoch = epoch;
    this.#batch = batch;
    if (this.#state === 'starting') this.#state = 'running';
  }

  /** Nothing is accepted any more; what flies is not waited for. */
  stop(): void {
    if (this.#state !== 'superseded') this.#state = 'stopped';
  }

  /** A new request in its actor's mailbox: its keys are looked up, or taken for new. */
  enter(pending: Pending): void {
    if (this.#ports.limits.isOptimistic && this.#keysUntilOptimistic === 0 && pending.also.length === 0) {
      pending.assumeKeyNew();
      this.#assembler.wake(pending.actor);
    } else {
      if (this.#keysUntilOptimistic > 0) this.#keysUntilOptimistic--;
      this.#lookUps.addKey(pending);
      for (const part of pending.also) this.#lookUps.addKey(part);
    }
    this.#schedule();
  }

  load(actor: Actor): void {
    this.#lookUps.addLoad(actor);
    this.#schedule();
  }

  /** Lets the requests of one moment share a statement. */
  #schedule(): void {
    if (this.#flushSoon || this.#state !== 'running') return;
    this.#flushSoon = true;
    this.#ports.timer.soon(() => {
      this.#flushSoon = false;
      this.#lookUps.flush();
      this.#flush();
    });
  }

  /** W1: sends one batch, if there is anything worth it. */
  #flush(): void {
    if (this.#state !== 'running' || this.#resolving || !this.#mayTakeOff()) return;
    this.#assembler.fill(this.#commandsMaxNow);
    if (this.#assembler.empty) return;
    const rows = this.#assembler.take();
    const { store, clock } = this.#ports;
    const flight: Flight = { batch: this.#batchOf(rows), rows, sentMs: clock.monotonicMs(), reply: null };
    this.#flights.push(flight);
    store.commit(flight.batch).then(
      (applied) => this.#replied(flight, applied),
      (cause) => this.#replied(flight, cause instanceof Error ? cause : new Error(String(cause))),
    );
  }

  #mayTakeOff(): boolean {
    const [first] = this.#flights;
    if (first === undefined) return true;
    const { flightsMax, overlapCommandsMin } = this.#ports.limits;
    if (first.reply !== null || this.#flights.length >= flightsMax) return false;
    return this.#assembler.hasReady(Math.min(overlapCommandsMin, this.#commandsMaxNow));
  }

  #batchOf(rows: Rows): Batch {
    const { writerId } = this.#ports;
    const batch = this.#batch + this.#flights.length + 1;
    const { posted, refused, isOptimistic } = rows;
    return { writerId, epoch: this.#epoch, batch, posted, refused, isOptimistic };
  }

  #replied(flight: Flight, reply: boolean | Error): void {
    if (this.#resolving) return;
    flight.reply = reply;
    this.#land();
  }

  /** Takes the replies that are there, in the order of the batches. */
  #land(): void {
    for (let first = this.#flights[0]; first !== undefined && first.reply !== null; first = this.#flights[0]) {
      if (first.reply === true) {
        this.#flights.shift();
        this.#advance(first);
        const nowMs = this.#ports.clock.monotonicMs();
        this.pace.took(first.sentMs, nowMs);
        this.counters.observe?.(first.rows.pendings.length, nowMs - first.sentMs);
        this.#flush();
        this.#publish(first);
        continue;
      }
      if (!isRefused(first.reply)) return this.#freeze(first.reply);
      const [, ...successors] = this.#flights;
      if (successors.some(({ reply }) => reply === null)) return;
      // W7. The successors met the fence unmoved: not applied, each known to be so.
      if (!successors.every(({ reply }) => reply === false || isRefused(reply))) return this.#freeze(first.reply);
      this.#batchRefused(first.reply);
      return this.#flush();
    }
  }

  /** The batch is on disk: readers may see it. */
  #advance({ batch, rows }: Flight): void {
    this.#batch = batch.batch;
    this.#commandsMaxNow = Math.min(this.#commandsMaxNow * 2, this.#ports.limits.batchCommandsMax);
    this.counters.batches++;
    this.counters.commands += rows.pendings.length;
    if (batch.isOptimistic) this.counters.optimisticBatches++;
    rows.commit();
  }

  /** W4: tells the relay and the clients. */
  #publish({ batch, rows }: Flight): void {
    const { committed, settle, writerId } = this.#ports;
    committed({ writerId, batch: batch.batch, posted: rows.posted });
    for (let place = 0; place < rows.posted.length; ) {
      const pending = rows.postedBy[place] as Pending;
      const { row, transactionId } = postedAt(writerId, batch, place);
      const also = pending.also.map((_, part) => postedAt(writerId, batch, place + 1 + part));
      settle(pending, { type: 'posted', row, transactionId, replayed: false, also });
      place += pending.partCount;
    }
    this.counters.refusals += rows.refused.length;
    for (const [index, pending] of rows.refusedBy.entries()) {
      settle(pending, { type: 'refused', row: rows.refused[index] as RefusedRow, replayed: false });
    }
  }

  /** W6. Nothing in the air was written: everything decided is undone; a command that was alone is the culprit. */
  #batchRefused(cause: StoreFailure): void {
    const flights = this.#flights.splice(0);
    const pendings = flights.flatMap(({ rows }) => rows.pendings);
    const size = flights[0]?.rows.pendings.length ?? 0;
    const wasOptimistic = this.#lookUpAfterAll(pendings);
    if (!wasOptimistic) this.#shrink(size, cause);
    this.#assembler.putBack(pendings);
    if (wasOptimistic) return this.#lookUps.flush();
    const [culprit] = pendings;
    if (culprit === undefined || size > 1) return;
    const { requestId } = culprit.request.facts;
    this.#ports.log.error('a command was refused by the store', { requestId, cause: String(cause) });
    culprit.actor.shift();
    this.#ports.settle(culprit, { type: 'failed' });
  }

  /**
   * W3: most likely a key was used; whatever else it is comes out once they are looked up. True: some were not. Who repeats
   * himself is seldom alone: the next keys are looked up, too, the more of them the more a mistake has cost.
   */
  #lookUpAfterAll(pendings: readonly Pending[]): boolean {
    const optimists = pendings.filter(({ isOptimistic }) => isOptimistic);
    if (optimists.length === 0) return false;
    this.counters.optimisticRefused++;
    this.#keysInDoubt = this.#ports.limits.optimismAfterKeys * pendings.length;
    this.#keysUntilOptimistic = this.#keysInDoubt;
    for (const pending of optimists) {
      pending.lookUpKeyAfterAll();
      this.#lookUps.addKey(pending);
    }
    return true;
  }

  #shrink(size: number, cause: StoreFailure): void {
    this.counters.refusedStatements++;
    const { batchCommandsMax } = this.#ports.limits;
    this.#commandsMaxNow = Math.min(batchCommandsMax - 1, Math.max(1, Math.ceil(size / 2)));
    this.#ports.log.warn('a statement was refused; batches shrink', { size, cause: String(cause) });
  }

  /** W5. Whatever is undecided is refused now instead of waiting for the store. */
  #freeze(cause: Error | false): void {
    this.counters.unknownOutcomes++;
    const known = cause === false ? 'not applied' : String(cause);
    this.#ports.log.warn('the outcome of a batch is unknown; the lane is frozen', { cause: known });
    if (this.#state === 'running') this.#state = 'frozen';
    this.#resolving = true;
    this.#lookUps.abandon();
    const { actors, pendings } = this.#assembler.clear();
    for (const actor of actors) this.#empty(actor);
    for (const pending of pendings) this.#ports.settle(pending, { type: 'unavailable' });
    this.#resolve(this.#ports.limits.backoffMs);
  }

  #empty(actor: Actor): void {
    for (const pending of actor.takeAll()) this.#ports.settle(pending, { type: 'unavailable' });
  }

  /** W5. */
  #resolve(backoffMs: number): void {
    this.#attempt().then(
      (settled) => this.#resolved(settled),
      (cause) => {
        if (this.#state === 'stopped') return this.#giveUp();
        this.#ports.log.warn('the outcome is still unknown', { cause: String(cause) });
        const { timer, limits } = this.#ports;
        timer.after(backoffMs, () => this.#resolve(Math.min(backoffMs * 2, limits.backoffMsMax)));
      },
    );
  }

  #resolved(settled: 'committed' | StoreFailure | 'superseded'): void {
    if (settled === 'superseded') return this.#lost();
    this.#thaw();
    if (settled !== 'committed') this.#batchRefused(settled);
    this.#lookUps.flush();
    this.#flush();
  }

  /** Sends what is in the air again, on a fresh connection, each batch after its predecessor is known to be committed. */
  async #attempt(): Promise<'committed' | StoreFailure | 'superseded'> {
    await this.#ports.store.reset('writes');
    for (let flight = this.#flights[0]; flight !== undefined; flight = this.#flights[0]) {
      const fate = await this.#sendAgain(flight.batch);
      if (fate === 'superseded') return fate;
      if (fate !== 'committed') return (await this.#raise()) ? fate : 'superseded';
      this.#flights.shift();
      this.#advance(flight);
      // Whoever is told of the last one may read at once.
      if (this.#flights.length === 0) this.#thaw();
      this.#publish(flight);
    }
    return 'committed';
  }

  #thaw(): void {
    if (!this.#resolving) return;
    this.#resolving = false;
    if (this.#state === 'frozen') this.#state = 'running';
    this.#ports.log.info('the outcome is known; the lane goes on', { batch: this.#batch });
  }

  async #sendAgain(batch: Batch): Promise<'committed' | StoreFailure | 'superseded'> {
    const { store, writerId, log } = this.#ports;
    try {
      if (await store.commit(batch)) return 'committed';
    } catch (cause) {
      if (isRefused(cause)) return cause;
      throw cause;
    }
    const position = await store.position(writerId);
    if (position.epoch !== this.#epoch) return 'superseded';
    // Its first sending was applied, and possibly its successors'.
    const last = this.#flights.at(-1)?.batch.batch ?? batch.batch;
    if (position.batch >= batch.batch && position.batch <= last) return 'committed';
    // Nobody but this epoch advances the batch: another count means that the table was changed by hand.
    log.error('the writer stands at an impossible batch', { expected: batch.batch, found: position.batch });
    return 'superseded';
  }

  /** W7. Whatever of ours is still on its way comes to nothing. False: the writer is not ours any more. */
  async #raise(): Promise<boolean> {
    const position = await this.#ports.store.raise(this.#ports.writerId, this.#epoch);
    if (position === null || position.batch !== this.#batch) return false;
    this.#epoch = position.epoch;
    return true;
  }

  #lost(): void {
    this.#state = 'superseded';
    this.#ports.log.error('superseded: another process owns this writer now', { writerId: this.#ports.writerId });
    this.#giveUp();
    this.#ports.superseded();
  }

  /** Whether what is in the air was written is for its clients to find out, with their keys. */
  #giveUp(): void {
    this.#resolving = false;
    for (const { rows } of this.#flights.splice(0)) {
      for (const pending of rows.pendings) this.#ports.settle(pending, { type: 'unavailable' });
    }
  }
}
