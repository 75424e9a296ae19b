/**
 * The link to Redis (or Valkey), which may be away at any time: then everything here fails at once, and nobody waits.
 *
 * - D1 no command waits for a connection, and none longer than `commandMs`.
 * - D2 the link is up only while what this process publishes comes back to it: a connection into a black hole, or a
 *   subscription that was lost, is down within two heartbeats.
 * - D3 whoever listens is told of every change of state, and so knows that it may have missed announcements.
 * - D4 an announcement that could not be made is owed: made with the next heartbeat that comes back, and before a link
 *   that was down counts as up again.
 *
 * Must not know: what the keys mean.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Log, Metrics } from '../telemetry/index.ts';

export interface RedisLink {
  isUp(): boolean;
  /** null: no such key. Rejects when the link does not work. */
  get(key: string): Promise<string | null>;
  /** Sets a key that does not exist; one that does stays. Rejects when the link does not work. */
  add(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Replaces a key by an empty text for `tombstoneMs`, so that nothing older is added again, and tells every process.
   * Never rejects: what cannot be done now is owed.
   */
  evict(key: string, tombstoneMs: number): Promise<void>;
  listen(listener: RedisListener): void;
  start(): void;
  stop(): void;
}

export interface RedisListener {
  /** Some process evicted this key. */
  evicted(key: string): void;
  /** Everything known from before may be out of date. */
  changedState(isUp: boolean): void;
}

export interface RedisBounds {
  readonly connectMs: number;
  readonly commandMs: number;
  readonly reconnectMsMin: number;
  readonly reconnectMsMax: number;
  readonly heartbeatMs: number;
  readonly evictionsOwedMax: number;
}

/** So many heartbeats in a row that do not come back are silence (D2). */
const UNHEARD_MAX = 2;

const channel = 'localplus:evictions:v1';

/** The link of a stack without Redis. */
export const noRedis: RedisLink = {
  isUp: () => false,
  get: () => Promise.reject(new Error('there is no Redis')),
  add: () => Promise.reject(new Error('there is no Redis')),
  evict: () => Promise.resolve(),
  listen: () => undefined,
  start: () => undefined,
  stop: () => undefined,
};

export function connectRedis(url: string, bounds: RedisBounds, log: Log, metrics: Metrics): RedisLink {
  return new Link(url, bounds, log, metrics);
}

class Link implements RedisLink {
  readonly #bounds: RedisBounds;
  readonly #log: Log;
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #heartbeatChannel = `localplus:heartbeat:${randomUUID()}`;
  readonly #listeners: RedisListener[] = [];
  readonly #owed = new Map<string, number>();
  #isUp = false;
  #isSettling = false;
  /** Heartbeats since the last one that came back. Counted, not timed: a process that stood still has sent none. */
  #unheard = 0;
  #errors = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(url: string, bounds: RedisBounds, log: Log, metrics: Metrics) {
    this.#bounds = bounds;
    this.#log = log;
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: bounds.connectMs,
      commandTimeout: bounds.commandMs,
      retryStrategy: (attempt: number) =>
        Math.min(bounds.reconnectMsMin * 2 ** Math.min(attempt, 16), bounds.reconnectMsMax),
    };
    this.#commands = new Redis(url, { ...options, connectionName: 'core' });
    this.#subscriber = new Redis(url, { ...options, connectionName: 'core-subscriber', autoResubscribe: false });
    for (const client of [this.#commands, this.#subscriber]) client.on('error', () => this.#failed());
    this.#subscriber.on('ready', () => this.#subscribe());
    // Whatever is announced until it is subscribed again is not heard.
    this.#subscriber.on('close', () => this.#become(false));
    this.#subscriber.on('message', (from: string, key: string) => this.#heard(from, key));
    metrics.gauge('redis_up', 'Whether announcements of this process come back to it.', () => [
      { value: this.#isUp ? 1 : 0 },
    ]);
    metrics.counter('redis_errors_total', 'Failures of connections and commands.', () => [{ value: this.#errors }]);
  }

  isUp(): boolean {
    return this.#isUp;
  }

  async get(key: string): Promise<string | null> {
    return this.#counted(() => this.#commands.get(key));
  }

  async add(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#counted(() => this.#commands.set(key, value, 'PX', ttlMs, 'NX'));
  }

  async evict(key: string, tombstoneMs: number): Promise<void> {
    try {
      await this.#announce(key, tombstoneMs);
    } catch (error) {
      this.#log.debug('an eviction is owed', { error });
      if (this.#owed.size >= this.#bounds.evictionsOwedMax) {
        this.#log.warn('too many evictions are owed: what is older than its time to live stays until then');
        this.#owed.clear();
      }
      this.#owed.set(key, tombstoneMs);
    }
  }

  listen(listener: RedisListener): void {
    this.#listeners.push(listener);
  }

  start(): void {
    // A failed attempt is counted by the error event, and repeated by the client itself.
    for (const client of [this.#commands, this.#subscriber]) client.connect().catch(() => this.#failed());
    this.#timer = setInterval(() => void this.#beat(), this.#bounds.heartbeatMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#commands.disconnect();
    this.#subscriber.disconnect();
  }

  async #announce(key: string, tombstoneMs: number): Promise<void> {
    await this.#counted(() => this.#commands.set(key, '', 'PX', tombstoneMs));
    await this.#counted(() => this.#commands.publish(channel, key));
  }

  async #counted<Result>(run: () => Promise<Result>): Promise<Result> {
    try {
      return await run();
    } catch (error) {
      this.#failed();
      throw error;
    }
  }

  #failed(): void {
    this.#errors++;
  }

  #subscribe(): void {
    // From here on silence is counted.
    this.#unheard = 0;
    this.#subscriber.subscribe(channel, this.#heartbeatChannel).then(
      () => this.#beat(),
      () => this.#failed(),
    );
  }

  #heard(from: string, key: string): void {
    if (from === channel) {
      for (const listener of this.#listeners) listener.evicted(key);
      return;
    }
    this.#unheard = 0;
    if (!this.#isUp || this.#owed.size > 0) void this.#settle();
  }

  async #beat(): Promise<void> {
    if (this.#unheard >= UNHEARD_MAX) {
      this.#become(false);
      this.#revive(this.#subscriber);
    }
    this.#unheard++;
    try {
      await this.#commands.publish(this.#heartbeatChannel, '');
    } catch {
      this.#failed();
      this.#revive(this.#commands);
    }
  }

  /** A connection that counts as open and does not answer is given up for a new one. */
  #revive(client: Redis): void {
    if (client.status === 'ready') client.disconnect(true);
  }

  /** D4: back, once nothing is owed any more. What fails is tried again with the next heartbeat. */
  async #settle(): Promise<void> {
    if (this.#isSettling) return;
    this.#isSettling = true;
    try {
      for (const [key, tombstoneMs] of this.#owed) {
        await this.#announce(key, tombstoneMs);
        this.#owed.delete(key);
      }
      this.#become(true);
    } catch (error) {
      this.#log.debug('an eviction is still owed', { error });
    } finally {
      this.#isSettling = false;
    }
  }

  #become(isUp: boolean): void {
    if (this.#isUp === isUp) return;
    this.#isUp = isUp;
    if (isUp) this.#log.info('redis is up');
    else this.#log.warn('redis is down: caches live on their own');
    for (const listener of this.#listeners) listener.changedState(isUp);
  }
}
