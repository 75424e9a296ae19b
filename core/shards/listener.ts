/**
 * Hears that shards moved, so that nobody has to wait for the next look. Only quickens: who hears nothing looks twice a second.
 *
 * The driver listens on a connection of its own and renews it by itself, but gives up in silence when the database is away at
 * that moment: so every listener is replaced after a while.
 */
import type { Log, Timer } from '@local-plus/actors';
import postgres from 'postgres';

const CONNECT_S = 3;
const RENEW_MS = 30_000;
const AGAIN_MS = 2_000;
const CLOSE_S = 1;

export class Listener {
  readonly #ports: {
    readonly databaseUrl: string;
    readonly channel: string;
    readonly heard: () => void;
    readonly timer: Timer;
    readonly log: Log;
  };
  #sql: postgres.Sql | null = null;
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor(ports: {
    readonly databaseUrl: string;
    readonly channel: string;
    readonly heard: () => void;
    readonly timer: Timer;
    readonly log: Log;
  }) {
    this.#ports = ports;
  }

  /** Returns at once. */
  start(): void {
    if (!this.#isStopped) this.#renew();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#end(this.#sql);
  }

  /** The new one listens before the old one ends. */
  #renew(): void {
    const { databaseUrl, channel, heard, timer, log } = this.#ports;
    const old = this.#sql;
    const sql = postgres(databaseUrl, {
      max: 1,
      connect_timeout: CONNECT_S,
      fetch_types: false,
      onnotice: () => undefined,
      connection: { application_name: 'local-plus shards' },
    });
    this.#sql = sql;
    sql
      .listen(channel, heard)
      .then(
        () => RENEW_MS,
        (cause: unknown) => {
          log.warn('moves of shards are not heard now', { cause: String(cause) });
          return AGAIN_MS;
        },
      )
      .then((waitMs) => {
        void this.#end(old);
        if (this.#isStopped) return void this.#end(sql);
        this.#cancel = timer.after(waitMs, () => this.#renew());
      });
  }

  async #end(sql: postgres.Sql | null): Promise<void> {
    await sql?.end({ timeout: CLOSE_S }).catch((cause: unknown) => {
      this.#ports.log.warn('a listening connection could not be ended', { cause: String(cause) });
    });
  }
}
