/**
 * ⑨ The relay: follows one writer's batches and publishes them, in order, from memory or from the table.
 *
 *     offer → tail ──after cursor──→ chunk → requests of both topics → acknowledged → cursor, progress
 *     table ──page after cursor──↗        (whenever the tail does not hold the batch after the cursor)
 *
 * R1 The cursor is the last batch of which every event, and every event of all before, is acknowledged. What is
 *    published next is always the batch after the cursor, wherever it is read: nothing is skipped or reordered (I5).
 * R2 After a failure the same chunk is published again from its start: events may come twice.
 * R3 Batch n is visible in the table only with all before it (the writer's row orders them), so a read of the table
 *    that was not cut short has seen every batch that was offered before it.
 * R4 An offer costs a few instructions and never throws; between two requests everyone else has a turn; whatever waits
 *    in memory is bounded. Kafka's absence shows in the lag, nowhere else.
 * R5 Of a shard that came from another writer nothing is published before everything that was written of it there
 *    (barriers.ts); what stands before the first such barrier is not kept waiting.
 */
import type { Clock, CommittedBatch, Log, Timer } from '@local-plus/actors';
import type { EventProducer } from '../platform/kafka/index.ts';
import { type Barrier, Barriers } from './barriers.ts';
import { type Chunk, chunkOfPage } from './domain.ts';
import { messagesOf } from './events.ts';
import { Lag } from './lag.ts';
import type { RelayLimits } from './limits.ts';
import { Progress } from './progress.ts';
import type { Backlog, RelayStore } from './store.ts';
import { Tail } from './tail.ts';
import { Trouble } from './trouble.ts';

export interface RelayPorts {
  readonly writerId: number;
  readonly store: RelayStore;
  /** null: there is no Kafka; events wait in the table. */
  readonly producer: EventProducer | null;
  readonly clock: Clock;
  readonly timer: Timer;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly log: Log;
  readonly limits: RelayLimits;
}

/** `starting` until the progress is known; `off` without a broker. */
export type RelayMode = 'starting' | 'memory' | 'table' | 'off' | 'stopped';

export interface RelayStatus {
  readonly mode: RelayMode;
  /** Whether the last request was acknowledged. */
  readonly connected: boolean;
  /** The last batch of which everything is acknowledged. */
  readonly cursor: number;
  readonly lagBatches: number;
  /** Counted at the start (up to a bound), kept up since. */
  readonly lagTransactions: number;
  readonly memoryRows: number;
  /** Shards of which the former owner's events are not all published yet. */
  readonly barriers: number;
}

/** Plain numbers, read when scraped. */
export class RelayCounters {
  readonly published = { memory: 0, table: 0 };
  publishFailures = 0;
  tableFailures = 0;
  rowsDropped = 0;
  /** Called with every acknowledged request's time. */
  observe: ((publishMs: number) => void) | null = null;
}

export class Relay {
  readonly #ports: RelayPorts;
  readonly #tail: Tail;
  readonly #trouble: Trouble;
  readonly #barriers = new Barriers();
  readonly counters = new RelayCounters();
  #mode: RelayMode = 'starting';
  #cursor = 0;
  readonly #lag = new Lag();
  #progress: Progress | null = null;
  /** What could not be published yet. */
  #chunk: Chunk | null = null;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | null = null;
  #stopAtMs = Number.POSITIVE_INFINITY;
  #loop: Promise<void> | null = null;

  constructor(ports: RelayPorts) {
    this.#ports = ports;
    this.#tail = new Tail(ports.limits);
    this.#trouble = new Trouble(ports);
  }

  get status(): RelayStatus {
    return {
      mode: this.#mode,
      connected: this.#ports.producer?.connected ?? false,
      cursor: this.#cursor,
      lagBatches: Math.max(0, this.#lag.newest - this.#cursor),
      lagTransactions: this.#lag.transactions,
      memoryRows: this.#tail.rows,
      barriers: this.#barriers.size,
    };
  }

  /** R4. Called in batch order, right after each commit. */
  offer(batch: CommittedBatch): void {
    this.#lag.offered(batch.batch, batch.posted.length);
    if (!this.#ports.producer || this.#mode === 'stopped') return;
    this.#tail.offer(batch);
    this.counters.rowsDropped = this.#tail.rowsDroppedTotal;
    this.#wake?.();
  }

  /** B1: called before anything of these shards is committed here. */
  expect(barriers: readonly Barrier[]): void {
    this.#barriers.add(barriers);
  }

  /** Returns at once; whatever is away is waited for in the background. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Publishes what it still can within `graceMs`, if Kafka is there; writes its progress down. Never rejects. */
  async stop(graceMs: number): Promise<void> {
    const { clock, producer, store, limits } = this.#ports;
    this.#stopAtMs = clock.monotonicMs() + graceMs;
    this.#wake?.();
    await this.#atMost(graceMs, this.#loop);
    this.#mode = 'stopped';
    await producer?.close();
    await this.#atMost(limits.stopSaveMs, this.#progress?.flush());
    await store.close();
  }

  #atMost(timeMs: number, work: Promise<void> | null | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#ports.timer.after(timeMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      if (work) work.then(done, done);
      else done();
    });
  }

  async #run(): Promise<void> {
    while (!this.#over()) {
      try {
        if (this.#mode === 'starting') await this.#begin();
        else await this.#step();
      } catch (cause) {
        if (this.#over()) return;
        const trouble = this.#trouble.met(cause, this.status);
        if (trouble.with === 'kafka') this.counters.publishFailures++;
        if (trouble.with === 'table') this.counters.tableFailures++;
        await this.#pause(trouble.pauseMs, false);
      }
    }
  }

  /** Asked to stop, and: nothing is left to do, or it cannot be done, or the time is over. */
  #over(): boolean {
    if (!this.#stopping) return false;
    const { producer, clock } = this.#ports;
    const done = this.#mode !== 'starting' && this.#cursor >= this.#lag.newest && !this.#chunk;
    return done || !producer?.connected || clock.monotonicMs() >= this.#stopAtMs;
  }

  async #begin(): Promise<void> {
    const { store, writerId, clock, timer, log, limits, producer } = this.#ports;
    await this.#readBarriers();
    const saved = await store.progress(writerId);
    await this.#lag.readFrom(saved, this.#backlog);
    this.#cursor = saved;
    const save = (batch: number): Promise<void> => store.saveProgress(writerId, batch);
    this.#progress = new Progress({ clock, timer, log, everyMs: limits.progressMs, save }, saved);
    this.#mode = producer ? 'memory' : 'off';
    log.info('the relay starts', { writerId, ...this.status });
  }

  async #step(): Promise<void> {
    const { producer } = this.#ports;
    if (producer && !producer.connected) await producer.connect();
    if (producer) this.#chunk ??= await this.#next();
    if (producer && this.#chunk) {
      const admitted = this.#barriers.admit(this.#chunk, this.#cursor);
      if (admitted === null) return this.#waitAtBarrier();
      await this.#publish(producer, admitted);
      this.#chunk = null;
      this.#trouble.over(this.status);
    } else {
      this.#trouble.over(this.status);
      await this.#idle();
    }
  }

  /** R1: the batches after the cursor, from memory if they are there. */
  async #next(): Promise<Chunk | null> {
    const { limits, store, writerId } = this.#ports;
    this.#tail.forget(this.#cursor);
    if (this.#mode === 'memory' && this.#tail.rows < limits.requestRowsMax) await this.#linger();
    const chunk = this.#tail.after(this.#cursor, limits.requestRowsMax);
    if (chunk) {
      this.#follow('memory');
      return chunk;
    }
    if (this.#cursor >= this.#lag.newest) return null;
    this.#follow('table');
    // R3: what is known now is older than the read.
    const known = this.#lag.newest;
    const rows = await store.page(writerId, this.#cursor, limits.pageRowsMax);
    await this.#readBarriers();
    return chunkOfPage(rows, rows.length >= limits.pageRowsMax, this.#cursor, known);
  }

  /** R5. What the barriers say of a page of the table is read after it. */
  async #readBarriers(): Promise<void> {
    const known = this.#barriers.all();
    this.#barriers.replace(known, await this.#ports.store.barriers(this.#ports.writerId));
  }

  async #waitAtBarrier(): Promise<void> {
    await this.#pause(this.#ports.limits.barrierPollMs, false);
    if (!this.#over()) await this.#readBarriers();
  }

  /** Lets the batches of a moment share a request; the first one after a pause does not wait. */
  async #linger(): Promise<void> {
    const { limits, clock } = this.#ports;
    const waitMs = this.#sentAtMs + limits.lingerMs - clock.monotonicMs();
    if (waitMs > 0) await this.#pause(Math.min(waitMs, limits.lingerMs), false);
  }

  #follow(mode: 'memory' | 'table'): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#ports.log.info(`the relay follows the ${mode}`, { ...this.status });
  }

  async #publish(producer: EventProducer, chunk: Chunk): Promise<void> {
    const { writerId, clock, timer, limits } = this.#ports;
    for (let from = 0; from < chunk.rows.length; from += limits.requestRowsMax) {
      const startedMs = clock.monotonicMs();
      this.#sentAtMs = startedMs;
      await producer.send(messagesOf(writerId, chunk.rows.slice(from, from + limits.requestRowsMax)));
      this.counters.observe?.(clock.monotonicMs() - startedMs);
      await new Promise<void>((resolve) => timer.soon(resolve));
    }
    this.#published(chunk);
  }

  #published(chunk: Chunk): void {
    this.#cursor = chunk.lastBatch;
    this.#lag.published(this.#cursor, chunk.rows.length);
    this.counters.published[this.#mode === 'table' ? 'table' : 'memory'] += chunk.rows.length;
    this.#progress?.note(this.#cursor);
  }

  /** Until the next offer. Without one for a while the table is asked: another process may be the writer. */
  async #idle(): Promise<void> {
    const { producer, limits } = this.#ports;
    if (await this.#pause(limits.pollMs, producer !== null)) return;
    if (this.#barriers.size > 0) await this.#readBarriers();
    await this.#lag.readOn(this.#backlog);
  }

  readonly #backlog = (cursor: number): Promise<Backlog> => {
    const { store, writerId, limits } = this.#ports;
    return store.backlog(writerId, cursor, limits.backlogRowsMax);
  };

  get #stopping(): boolean {
    return this.#stopAtMs !== Number.POSITIVE_INFINITY;
  }

  /**
   * Waits. A stop ends it early, and an offer if it is told so. Answers whether it was ended early. What begins during a stop is
   * short, but not nothing: a table that is away would be asked without end.
   */
  #pause(waitMs: number, untilOffered: boolean): Promise<boolean> {
    const { timer, clock, limits } = this.#ports;
    return new Promise((resolve) => {
      if (untilOffered && (this.#stopping || this.#lag.newest > this.#cursor)) return timer.soon(() => resolve(true));
      const leftMs = Math.max(0, this.#stopAtMs - clock.monotonicMs());
      const pauseMs = this.#stopping ? Math.min(waitMs, leftMs, limits.stopPauseMs) : waitMs;
      const cancel = timer.after(pauseMs, () => {
        this.#wake = null;
        resolve(false);
      });
      this.#wake = () => {
        if (!untilOffered && !this.#stopping) return;
        this.#wake = null;
        cancel();
        timer.soon(() => resolve(true));
      };
    });
  }
}
