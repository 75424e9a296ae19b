/**
 * Publishes what writers have left behind that nobody runs any more: each by a relay of its own, from where that writer's relay
 * has stopped. If somebody does run it after all, its events come twice, in order each time.
 *
 * - G1 several at once: what one of them has left may stand behind a barrier of another, and the other way round.
 * - G2 at most so many, because each has a connection and a thread. One that stands at barriers and goes no further gives its
 *   place to the next, in turn: of all relays one can always go on (barriers.ts, B2), and it is among those that get a place.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { RelayLimits } from './limits.ts';
import type { Relay } from './relay.ts';
import type { RelayStore } from './store.ts';

type TendedRelay = Pick<Relay, 'start' | 'stop' | 'status'>;

export interface TendingPorts {
  readonly store: Pick<RelayStore, 'behind' | 'close'>;
  /** Not yet started. */
  readonly relayOf: (writerId: number) => TendedRelay;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: Pick<RelayLimits, 'pollMs' | 'progressMs' | 'tendedMax' | 'tendedStillMs'>;
}

interface Tended {
  readonly relay: TendedRelay;
  /** Where it stood when it was seen to move last, and when that was, by the monotonic clock. */
  cursor: number;
  movedMs: number;
}

export class Tending {
  readonly #ports: TendingPorts;
  readonly #tended = new Map<number, Tended>();
  #wanted: readonly number[] = [];
  /** Of the wanted ones, those that are behind and have no place. */
  #waiting: readonly number[] = [];
  /** G2: who was given a place last. */
  #lastId = -1;
  #askedMs = Number.NEGATIVE_INFINITY;
  #work: Promise<void> | null = null;
  #isStopped = false;
  tendedTotal = 0;

  constructor(ports: TendingPorts) {
    this.#ports = ports;
  }

  /** Returns at once; called again and again. */
  tend(writerIds: readonly number[]): void {
    this.#wanted = writerIds;
    if (this.#isStopped || this.#work !== null || writerIds.length === 0 || !this.#isTimeToAsk()) return;
    this.#work = this.#tendAll().finally(() => {
      this.#work = null;
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    await this.#ports.store.close();
  }

  /** Until nobody who is wanted is behind. */
  async #tendAll(): Promise<void> {
    do {
      if (this.#isTimeToAsk()) await this.#ask();
      await this.#endSome();
      this.#begin();
      if (this.#tended.size > 0) await this.#pause();
    } while (this.#tended.size > 0 && !this.#isStopped);
    await Promise.all([...this.#tended.keys()].map((writerId) => this.#end(writerId)));
  }

  #isTimeToAsk(): boolean {
    return this.#ports.clock.monotonicMs() - this.#askedMs >= this.#ports.limits.pollMs;
  }

  async #ask(): Promise<void> {
    const { store, clock, log } = this.#ports;
    this.#askedMs = clock.monotonicMs();
    try {
      const behind = await store.behind(this.#wanted);
      this.#waiting = behind.filter((writerId) => !this.#tended.has(writerId));
    } catch (cause) {
      log.warn('what gone writers left cannot be looked at', { cause: String(cause) });
    }
  }

  /** Those that are done, that somebody runs again, and that stand still while others wait. */
  async #endSome(): Promise<void> {
    const { log } = this.#ports;
    for (const [writerId, tended] of [...this.#tended]) {
      if (isDone(tended.relay)) {
        await this.#end(writerId);
        this.tendedTotal++;
        log.info('what a gone writer had left is published', { writerId });
      } else if (!this.#wanted.includes(writerId)) {
        await this.#end(writerId);
      } else if (this.#isStill(tended) && this.#waiting.length > 0 && !this.#hasRoom) {
        await this.#end(writerId);
        log.info('the relay of a gone writer waits for others, and lets another begin', { writerId });
        this.#begin();
        this.#waiting = [...this.#waiting, writerId];
      }
    }
  }

  get #hasRoom(): boolean {
    return this.#tended.size < this.#ports.limits.tendedMax;
  }

  /** G2: whoever comes after the last one by number; after the greatest, the smallest. */
  #begin(): void {
    const { relayOf, clock, log } = this.#ports;
    while (this.#hasRoom && !this.#isStopped) {
      const inOrder = this.#waiting.filter((id) => this.#wanted.includes(id)).sort((a, b) => a - b);
      const writerId = inOrder.find((id) => id > this.#lastId) ?? inOrder[0];
      if (writerId === undefined) return;
      this.#waiting = this.#waiting.filter((id) => id !== writerId);
      this.#lastId = writerId;
      log.info('the relay publishes what a gone writer has left', { writerId });
      const relay = relayOf(writerId);
      relay.start();
      this.#tended.set(writerId, { relay, cursor: -1, movedMs: clock.monotonicMs() });
    }
  }

  /** Only who is connected and knows of barriers can be waiting for others. */
  #isStill(tended: Tended): boolean {
    const { clock, limits } = this.#ports;
    const { cursor, barriers, connected } = tended.relay.status;
    const nowMs = clock.monotonicMs();
    if (cursor !== tended.cursor || !connected || barriers === 0) {
      tended.cursor = cursor;
      tended.movedMs = nowMs;
    }
    return nowMs - tended.movedMs >= limits.tendedStillMs;
  }

  async #end(writerId: number): Promise<void> {
    const tended = this.#tended.get(writerId);
    this.#tended.delete(writerId);
    await tended?.relay.stop(0);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#ports.timer.after(this.#ports.limits.progressMs, resolve));
  }
}

/** Its progress is known, and nothing is behind it. */
function isDone(relay: TendedRelay): boolean {
  const { mode, lagBatches } = relay.status;
  return mode !== 'starting' && lagBatches === 0;
}
