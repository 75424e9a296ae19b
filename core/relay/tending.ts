/**
 * Publishes what writers have left behind that nobody runs any more: one after the other, each by a relay of its own, from
 * where that writer's relay has stopped. If somebody does run it after all, its events come twice, in order each time.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';
import type { RelayLimits } from './limits.ts';
import type { Relay } from './relay.ts';
import type { RelayStore } from './store.ts';

export interface TendingPorts {
  readonly store: Pick<RelayStore, 'behind' | 'close'>;
  /** Not yet started. */
  readonly relayOf: (writerId: number) => Pick<Relay, 'start' | 'stop' | 'status'>;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: Pick<RelayLimits, 'pollMs' | 'progressMs' | 'stopSaveMs'>;
}

export class Tending {
  readonly #ports: TendingPorts;
  #wanted: readonly number[] = [];
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
    const nowMs = this.#ports.clock.monotonicMs();
    const { pollMs } = this.#ports.limits;
    if (this.#isStopped || this.#work !== null || writerIds.length === 0 || nowMs - this.#askedMs < pollMs) return;
    this.#askedMs = nowMs;
    this.#work = this.#tendNext()
      .catch((cause: unknown) => {
        this.#ports.log.warn('what gone writers left cannot be looked at', { cause: String(cause) });
      })
      .finally(() => {
        this.#work = null;
      });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    await this.#ports.store.close();
  }

  async #tendNext(): Promise<void> {
    const { store, relayOf, log, limits } = this.#ports;
    const writerId = await store.behind(this.#wanted);
    if (writerId === null || this.#isStopped) return;
    log.info('the relay publishes what a gone writer has left', { writerId });
    const relay = relayOf(writerId);
    relay.start();
    while (!this.#isStopped && this.#wanted.includes(writerId) && !isDone(relay)) await this.#pause(limits.progressMs);
    const isOver = isDone(relay);
    await relay.stop(0);
    if (!isOver) return;
    this.tendedTotal++;
    log.info('what a gone writer had left is published', { writerId });
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => this.#ports.timer.after(waitMs, resolve));
  }
}

/** Its progress is known, and nothing is behind it. */
function isDone(relay: Pick<Relay, 'status'>): boolean {
  const { mode, lagBatches } = relay.status;
  return mode !== 'starting' && lagBatches === 0;
}
