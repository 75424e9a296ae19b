/**
 * The commit lane: one writer, one batch in flight, many accounts' commands in each.
 *
 *     waiting ─look-up→ ready ─decide→ open batch ─statement→ flying batch ─reply→ committed
 *
 * W1 A statement is sent when the previous one has returned, with whatever is there: no linger, bounded size.
 * W2 Batch n is sent only after batch n − 1 is known to be committed, under the epoch of the claim.
 * W3 A command is decided only after its key was looked up, in a state that holds every batch before its own.
 * W4 What the batch made true leaves the lane only after its commit (I4); the next statement is on its way by then.
 * W5 After an unknown outcome nothing is decided: the same batch is sent again until it is known to be committed, or
 *    the writer to be superseded. Time decides nothing here; it only paces the attempts.
 * W6 After a refused batch everything decided goes back, in order, and batches shrink until the culprit stands alone.
 *
 * Knows no SQL and no wire. How W3 comes about stands in look-ups.ts, how a batch is filled in assembler.ts.
 */
import { transactionId } from '@local-plus/contracts';
import type { AccountState } from '../account/domain.ts';
import {
  type Batch,
  type CommittedBatch,
  type LedgerStore,
  type PostedRow,
  type RefusedRow,
  StoreFailure,
  type Timer,
  type WriterPosition,
} from '../ports.ts';
import type { Actor, Pending } from './actor.ts';
import { Assembler, type AssemblerPorts, type Rows } from './assembler.ts';
import { LookUps } from './look-ups.ts';

export interface LanePorts extends Omit<AssemblerPorts, 'reload'> {
  readonly store: LedgerStore;
  readonly timer: Timer;
  readonly writerId: number;
  /** Called in batch order, right after each commit. Must be quick and must not throw. */
  readonly committed: (batch: CommittedBatch) => void;
  /** The epoch was raised by another process: this one must never write again. */
  readonly superseded: () => void;
}

/** `starting` until claimed; `frozen` while an outcome is unknown or the store is away. */
export type LaneState = 'starting' | 'running' | 'frozen' | 'superseded' | 'stopped';

/** Plain numbers, read when scraped. */
export class LaneCounters {
  batches = 0;
  commands = 0;
  refusals = 0;
  unknownOutcomes = 0;
  refusedStatements = 0;
  /** Called with every batch's size and time. */
  observe: ((commands: number, statementMs: number) => void) | null = null;
}

export class Lane {
  readonly #ports: LanePorts;
  readonly #assembler: Assembler;
  readonly #lookUps: LookUps;
  readonly counters = new LaneCounters();
  #state: LaneState = 'starting';
  #busy = false;
  #flushSoon = false;
  #epoch = 0;
  /** The last batch known to be committed. */
  #batch = 0;
  /** Commands per batch for now: halved by a refused statement, doubled by a committed one (W6). */
  #commandsMaxNow: number;

  constructor(ports: LanePorts) {
    this.#ports = ports;
    this.#assembler = new Assembler({ ...ports, reload: (actor) => this.load(actor) });
    this.#lookUps = new LookUps({
      ...ports,
      wake: (actor) => this.#assembler.wake(actor),
      found: () => this.#flush(),
      failed: (actor) => {
        actor.failReaders();
        this.#empty(actor);
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

  get replaysTotal(): number {
    return this.#assembler.replaysTotal;
  }

  get lookUpStatementsTotal(): number {
    return this.#lookUps.statementsTotal;
  }

  /** Takes the writer over. Tries, paced, until it succeeds or the lane is stopped. */
  start(): Promise<void> {
    return new Promise((started) => this.#claim(started, this.#ports.limits.backoffMs));
  }

  /** Nothing is accepted any more; what flies is not waited for. */
  stop(): void {
    if (this.#state !== 'superseded') this.#state = 'stopped';
  }

  /** A new command in its actor's mailbox: its key is looked up. */
  lookUp(pending: Pending): void {
    this.#lookUps.addKey(pending);
    this.#schedule();
  }

  load(actor: Actor): void {
    this.#lookUps.addLoad(actor);
    this.#schedule();
  }

  #claim(started: () => void, backoffMs: number): void {
    if (this.#state === 'stopped') return started();
    const { store, writerId, log, timer, limits } = this.#ports;
    store.claim(writerId).then(
      (position) => {
        this.#epoch = position.epoch;
        this.#batch = position.batch;
        if (this.#state === 'starting') this.#state = 'running';
        log.info('writer claimed', { writerId, ...position });
        started();
      },
      (cause) => {
        log.warn('the writer is not claimed yet', { writerId, cause: String(cause) });
        store.reset('writes').then(() => {
          timer.after(backoffMs, () => this.#claim(started, Math.min(backoffMs * 2, limits.backoffMsMax)));
        });
      },
    );
  }

  /** Lets the requests of one moment share a look-up. */
  #schedule(): void {
    if (this.#flushSoon || this.#state !== 'running') return;
    this.#flushSoon = true;
    this.#ports.timer.soon(() => {
      this.#flushSoon = false;
      this.#lookUps.flush();
    });
  }

  /** W1: sends one batch, if there is anything to send and none under way. */
  #flush(): void {
    if (this.#busy || this.#state !== 'running') return;
    this.#assembler.fill(this.#commandsMaxNow);
    if (this.#assembler.empty) return;
    this.#busy = true;
    const rows = this.#assembler.take();
    const batch = this.#batchOf(rows);
    const sentMs = this.#ports.clock.monotonicMs();
    this.#ports.store.commit(batch).then(
      (applied) => this.#replied(applied, batch, rows, sentMs),
      (cause) => this.#commitFailed(cause, batch, rows),
    );
  }

  #batchOf(rows: Rows): Batch {
    const { writerId } = this.#ports;
    return { writerId, epoch: this.#epoch, batch: this.#batch + 1, posted: rows.posted, refused: rows.refused };
  }

  #replied(applied: boolean, batch: Batch, rows: Rows, sentMs: number): void {
    if (!applied) {
      this.#freeze(`batch ${batch.batch} was not applied`);
      return this.#resolve(batch, rows, this.#ports.limits.backoffMs);
    }
    this.#busy = false;
    this.#advance(batch, rows);
    this.counters.observe?.(rows.pendings.length, this.#ports.clock.monotonicMs() - sentMs);
    this.#flush();
    this.#publish(batch, rows);
  }

  /** The batch is on disk: readers may see it. */
  #advance(batch: Batch, rows: Rows): void {
    this.#batch = batch.batch;
    this.#commandsMaxNow = Math.min(this.#commandsMaxNow * 2, this.#ports.limits.batchCommandsMax);
    this.counters.batches++;
    this.counters.commands += rows.pendings.length;
    for (const [index, pending] of rows.postedBy.entries()) {
      pending.actor.committed = rows.postedStates[index] as AccountState;
    }
  }

  /** W4: tells the relay and the clients. */
  #publish(batch: Batch, rows: Rows): void {
    const { committed, settle, writerId } = this.#ports;
    committed({ writerId, batch: batch.batch, posted: rows.posted });
    for (const [place, pending] of rows.postedBy.entries()) {
      const row = rows.posted[place] as PostedRow;
      const id = transactionId(row.posting.occurredAtMs, { writerId, batch: batch.batch, place });
      settle(pending, { type: 'posted', row, transactionId: id, replayed: false });
    }
    this.counters.refusals += rows.refused.length;
    for (const [index, pending] of rows.refusedBy.entries()) {
      settle(pending, { type: 'refused', row: rows.refused[index] as RefusedRow, replayed: false });
    }
  }

  #commitFailed(cause: unknown, batch: Batch, rows: Rows): void {
    if (!isRefused(cause)) {
      this.#freeze(cause);
      return this.#resolve(batch, rows, this.#ports.limits.backoffMs);
    }
    this.#busy = false;
    this.#batchRefused(cause, rows);
  }

  /** W6. Nothing was written: everything decided is undone, and a command that was alone is the culprit. */
  #batchRefused(cause: StoreFailure, rows: Rows): void {
    const [culprit] = rows.pendings;
    this.#shrink(rows.pendings.length, cause);
    this.#assembler.putBack(rows);
    if (culprit && rows.pendings.length === 1) {
      const { requestId } = culprit.request.facts;
      this.#ports.log.error('a command was refused by the store', { requestId, cause: String(cause) });
      culprit.actor.shift();
      this.#ports.settle(culprit, { type: 'failed' });
    }
    this.#flush();
  }

  #shrink(size: number, cause: StoreFailure): void {
    this.counters.refusedStatements++;
    const { batchCommandsMax } = this.#ports.limits;
    this.#commandsMaxNow = Math.min(batchCommandsMax - 1, Math.max(1, Math.ceil(size / 2)));
    this.#ports.log.warn('a statement was refused; batches shrink', { size, cause: String(cause) });
  }

  /** W5. Whatever is undecided is refused now instead of waiting for the store. */
  #freeze(cause: unknown): void {
    this.counters.unknownOutcomes++;
    this.#ports.log.warn('the outcome of a batch is unknown; the lane is frozen', { cause: String(cause) });
    if (this.#state === 'running') this.#state = 'frozen';
    this.#lookUps.abandon();
    const { actors, pendings } = this.#assembler.clear();
    for (const actor of actors) this.#empty(actor);
    for (const pending of pendings) this.#ports.settle(pending, { type: 'unavailable' });
  }

  #empty(actor: Actor): void {
    for (const pending of actor.takeAll()) this.#ports.settle(pending, { type: 'unavailable' });
  }

  /** W5. */
  #resolve(batch: Batch, rows: Rows, backoffMs: number): void {
    this.#attempt(batch).then(
      (settled) => this.#resolved(settled, batch, rows),
      (cause) => {
        if (this.#state === 'stopped') return this.#giveUp(rows);
        this.#ports.log.warn('the outcome is still unknown', { cause: String(cause) });
        const { timer, limits } = this.#ports;
        timer.after(backoffMs, () => this.#resolve(batch, rows, Math.min(backoffMs * 2, limits.backoffMsMax)));
      },
    );
  }

  #resolved(settled: 'committed' | StoreFailure | 'superseded', batch: Batch, rows: Rows): void {
    if (settled === 'superseded') return this.#lost(rows);
    this.#busy = false;
    if (this.#state === 'frozen') this.#state = 'running';
    this.#ports.log.info('the outcome is known; the lane goes on', { batch: batch.batch });
    if (settled !== 'committed') return this.#batchRefused(settled, rows);
    this.#advance(batch, rows);
    this.#publish(batch, rows);
    this.#lookUps.flush();
    this.#flush();
  }

  async #attempt(batch: Batch): Promise<'committed' | StoreFailure | 'superseded'> {
    const { store, writerId, log } = this.#ports;
    await store.reset('writes');
    try {
      if (await store.commit(batch)) return 'committed';
    } catch (cause) {
      if (isRefused(cause)) return cause;
      throw cause;
    }
    const position = await store.position(writerId);
    if (position.epoch !== this.#epoch) return 'superseded';
    if (position.batch === batch.batch) return 'committed';
    // Nobody but this epoch advances the batch: another count means that the table was changed by hand.
    log.error('the writer stands at an impossible batch', { expected: batch.batch, found: position.batch });
    return 'superseded';
  }

  #lost(rows: Rows): void {
    this.#state = 'superseded';
    this.#ports.log.error('superseded: another process owns this writer now', { writerId: this.#ports.writerId });
    this.#giveUp(rows);
    this.#ports.superseded();
  }

  #giveUp(rows: Rows): void {
    this.#busy = false;
    for (const pending of rows.pendings) this.#ports.settle(pending, { type: 'unavailable' });
  }
}

function isRefused(cause: unknown): cause is StoreFailure {
  return cause instanceof StoreFailure && cause.outcome === 'refused';
}
