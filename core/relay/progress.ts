/**
 * Writes the relay's progress down, now and then: never before it is true, never two writes at once, never in the way
 * of publishing. What is lost of it in a crash is published again.
 */
import type { Clock, Log, Timer } from '@local-plus/actors';

export interface ProgressPorts {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly everyMs: number;
  readonly save: (batch: number) => Promise<void>;
}

export class Progress {
  readonly #ports: ProgressPorts;
  #wanted: number;
  #saved: number;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #saving: Promise<void> | null = null;
  #cancel: (() => void) | null = null;
  #failing = false;
  #isFinal = false;

  /** @param saved what the store holds */
  constructor(ports: ProgressPorts, saved: number) {
    this.#ports = ports;
    this.#wanted = saved;
    this.#saved = saved;
  }

  /** Every batch up to this one is published. */
  note(batch: number): void {
    if (batch <= this.#wanted) return;
    this.#wanted = batch;
    this.#schedule();
  }

  /** Writes what is not written yet, for the last time. Resolves when that succeeded or failed once. */
  async flush(): Promise<void> {
    this.#isFinal = true;
    this.#unschedule();
    if (this.#saving) await this.#saving;
    if (this.#wanted > this.#saved) await this.#save();
  }

  #unschedule(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(): void {
    if (this.#isFinal || this.#cancel || this.#saving || this.#wanted === this.#saved) return;
    const { clock, timer, everyMs } = this.#ports;
    const waitMs = Math.min(everyMs, Math.max(0, this.#savedAtMs + everyMs - clock.monotonicMs()));
    this.#cancel = timer.after(waitMs, () => {
      this.#cancel = null;
      void this.#save();
    });
  }

  #save(): Promise<void> {
    const batch = this.#wanted;
    const ended = (): void => {
      this.#saving = null;
      this.#savedAtMs = this.#ports.clock.monotonicMs();
      this.#schedule();
    };
    this.#saving = this.#ports.save(batch).then(
      () => {
        this.#saved = batch;
        if (this.#failing) this.#ports.log.info('the relay writes its progress again', { batch });
        this.#failing = false;
        ended();
      },
      (cause) => {
        if (!this.#failing)
          this.#ports.log.warn('the relay cannot write its progress', { batch, cause: String(cause) });
        this.#failing = true;
        ended();
      },
    );
    return this.#saving;
  }
}
