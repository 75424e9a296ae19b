/**
 * Publishes what stands in the outbox on Kafka: in order for each aggregate, at least once, without a gap.
 *
 * - O1 What is published is what is not marked as published, whenever it became visible: there is no cursor that a row
 *   could come behind. A row is marked only after Kafka has acknowledged it, so a failure repeats, and skips nothing.
 * - O2 Rows go in the order of their places. A place is given when the row is written, by the statement that changes the
 *   aggregate's own row, after it has that row's lock. So of two events of one aggregate the later one has the greater
 *   place, and whoever sees it sees the earlier one, too: none overtakes another. Of what happened at the same time to
 *   different rows neither came first.
 * - O3 One process publishes: who holds the lock (store.ts). Who has lost it without having noticed doubles events, and
 *   skips and swaps none, by O1 and O2.
 * - O4 Nothing waits for Kafka: while it is away events stay in the table, and the lock goes to whoever reaches it.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import { type EventProducer, PublishFailure, type TopicMessages } from '../platform/kafka/index.ts';
import type { OutboxLimits } from './limits.ts';
import { type Backlog, OutboxFailure, type OutboxStore, type WaitingEvent } from './store.ts';

export interface PublisherPorts {
  readonly store: OutboxStore;
  readonly producer: EventProducer;
  readonly clock: Clock;
  readonly timer: Timer;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly log: Log;
  readonly limits: OutboxLimits;
}

export interface PublisherStatus {
  /** Whether this process is the one that publishes, and can. */
  readonly isPublishing: boolean;
  /** null: another process publishes, and knows. Counted while Kafka is away, too. */
  readonly backlog: Backlog | null;
  readonly publishedTotal: number;
  readonly failuresTotal: number;
  readonly removedTotal: number;
}

export class Publisher {
  readonly #ports: PublisherPorts;
  /** Its turn, by the lock; while it cannot publish it lets the lock go between its tries, and counts on as long as nobody takes it. */
  #isTurn = false;
  #isStopped = false;
  #backlog: Backlog | null = null;
  #publishedTotal = 0;
  #failuresTotal = 0;
  #removedTotal = 0;
  #removeAtMs = 0;
  #countAtMs = 0;
  #tries = 0;
  #loop: Promise<void> | null = null;
  #wake: (() => void) | null = null;

  constructor(ports: PublisherPorts) {
    this.#ports = ports;
  }

  get status(): PublisherStatus {
    return {
      isPublishing: this.#isTurn && this.#tries === 0,
      backlog: this.#backlog,
      publishedTotal: this.#publishedTotal,
      failuresTotal: this.#failuresTotal,
      removedTotal: this.#removedTotal,
    };
  }

  /** Returns at once; whatever is away is waited for in the background. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends after the request under way, within `graceMs`. What still waits stands in the table. Never rejects. */
  async stop(graceMs: number): Promise<void> {
    const { timer, producer, store } = this.#ports;
    this.#isStopped = true;
    this.#wake?.();
    await new Promise<void>((resolve) => {
      const cancel = timer.after(graceMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      if (this.#loop === null) done();
      else this.#loop.then(done, done);
    });
    await producer.close();
    await store.close();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const pauseMs = await this.#step();
        this.#recovered();
        if (pauseMs > 0) await this.#pause(pauseMs);
      } catch (cause) {
        if (this.#isStopped) return;
        await this.#pause(await this.#met(cause));
      }
    }
  }

  /** @returns how long to pause before the next */
  async #step(): Promise<number> {
    const { store, producer, timer, limits } = this.#ports;
    this.#turn(await store.hold());
    if (!this.#isTurn) return limits.takeOverMs;
    await this.#count();
    if (!producer.connected) await producer.connect();
    const rows = await store.waiting(limits.rowsMax);
    const chunk = chunkOf(rows, limits.requestBytesMax);
    if (chunk.length > 0) {
      await producer.send(messagesOf(chunk));
      await store.mark(chunk.map(({ place }) => place));
      this.#publishedTotal += chunk.length;
    }
    await this.#remove();
    // Between two requests everyone else has a turn.
    await new Promise<void>((resolve) => timer.soon(resolve));
    return chunk.length < rows.length || rows.length === limits.rowsMax ? 0 : limits.pollMs;
  }

  /** Before Kafka is asked for: what waits while it is away has to show. */
  async #count(): Promise<void> {
    const { store, clock, limits } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#countAtMs) return;
    this.#backlog = await store.backlog(limits.countRowsMax);
    this.#countAtMs = nowMs + limits.countEveryMs;
  }

  async #remove(): Promise<void> {
    const { store, clock, limits } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#removeAtMs) return;
    const removed = await store.remove(limits.retentionMs, limits.removeRowsMax);
    this.#removedTotal += removed;
    // As much as fits into one statement: there is more.
    this.#removeAtMs = removed === limits.removeRowsMax ? 0 : nowMs + limits.removeEveryMs;
  }

  #turn(isTurn: boolean): void {
    if (this.#isTurn === isTurn) return;
    this.#isTurn = isTurn;
    this.#countAtMs = 0;
    if (!isTurn) this.#backlog = null;
    this.#ports.log.info(isTurn ? 'this process publishes the outbox' : 'another process publishes the outbox');
  }

  #recovered(): void {
    if (this.#tries > 0) this.#ports.log.info('the outbox is published again');
    this.#tries = 0;
  }

  async #met(cause: unknown): Promise<number> {
    const { store, random, log, limits } = this.#ports;
    this.#failuresTotal++;
    const isOutside = cause instanceof PublishFailure || cause instanceof OutboxFailure;
    if (this.#tries === 0) {
      const say = isOutside ? log.warn : log.error;
      say('the outbox cannot be published; events wait in it', { cause: String(cause) });
    }
    // O4: it may be this process alone that cannot.
    await store.release();
    const longestMs = Math.min(limits.backoffMs * 2 ** Math.min(this.#tries, 30), limits.backoffMsMax);
    this.#tries++;
    return longestMs * (1 - random() / 2);
  }

  #pause(waitMs: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#ports.timer.after(waitMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** The first of them, one at least, up to so many bytes of payload. */
function chunkOf(rows: readonly WaitingEvent[], bytesMax: number): readonly WaitingEvent[] {
  let bytes = 0;
  const end = rows.findIndex(({ payload }, index) => {
    bytes += Buffer.byteLength(payload);
    return index > 0 && bytes > bytesMax;
  });
  return end === -1 ? rows : rows.slice(0, end);
}

function messagesOf(rows: readonly WaitingEvent[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, aggregateId, payload, type, schemaVersion } of rows) {
    const of = topics.get(topic) ?? { topic, messages: [] };
    const headers = { event_type: type, schema_version: schemaVersion };
    of.messages.push({ key: aggregateId, value: payload, headers });
    topics.set(topic, of);
  }
  return [...topics.values()];
}
