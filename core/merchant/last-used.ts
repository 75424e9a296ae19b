/**
 * When keys were used last, to the minute: noted in memory when an edge asks what a key allows, which it does every few
 * seconds while the key is in use, and written behind, many at a time. What a process has noted and not written is forgotten
 * when it is killed, and when the write fails: the next use of the key is noted again.
 */
import type { Log } from '../platform/telemetry/index.ts';

export interface LastUsedOptions {
  readonly write: (moments: ReadonlyMap<string, number>) => Promise<void>;
  readonly nowMs: () => number;
  /** From the first note to the statement that writes it. */
  readonly writeAfterMs: number;
  /** Keys of one statement; what comes beyond is noted when the edge asks again. */
  readonly keysMax: number;
  readonly log: Log;
}

const MINUTE_MS = 60_000;

export class LastUsed {
  readonly #options: LastUsedOptions;
  #noted = new Map<string, number>();
  /** What the last write had: a key of it is not written again in the same minute. */
  #written: ReadonlyMap<string, number> = new Map();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LastUsedOptions) {
    this.#options = options;
  }

  /** Never throws, and waits for nothing. */
  note(keyId: string): void {
    const { nowMs, keysMax, writeAfterMs } = this.#options;
    const minuteMs = Math.floor(nowMs() / MINUTE_MS) * MINUTE_MS;
    if (this.#written.get(keyId) === minuteMs) return;
    if (this.#noted.size >= keysMax && !this.#noted.has(keyId)) return;
    this.#noted.set(keyId, minuteMs);
    this.#timer ??= setTimeout(() => void this.flush(), writeAfterMs).unref();
  }

  /** Writes what is noted. Never rejects: what could not be written is noted again by the next use. */
  async flush(): Promise<void> {
    const noted = this.#noted;
    this.#noted = new Map();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (noted.size === 0) return;
    try {
      await this.#options.write(noted);
      this.#written = noted;
    } catch (error) {
      this.#options.log.warn('when keys were used could not be written', { keys: noted.size, error });
    }
  }
}
