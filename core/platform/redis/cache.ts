/**
 * A cache in two levels before a loader: this process (L1), Redis (L2), the truth (L3).
 *
 * - C1 at most one load per key and process at a time.
 * - C2 an eviction reaches every process: at once through the link; without it within `aloneMs`, because nothing is
 *   believed longer then. When the link comes or goes, L1 is emptied: announcements may have been missed.
 * - C3 a load that began before an eviction leaves nothing behind: not in L1 (it is marked), not in L2 (a tombstone
 *   stands there longer than any load can take, and only absent keys are added).
 * - C4 trouble with Redis costs a load, never an error.
 * - C5 everything handed out is shared: values are immutable.
 */
import { LRUCache } from 'lru-cache';
import type { Log, Metrics } from '../telemetry/index.ts';
import type { RedisLink } from './link.ts';

export interface CacheOptions<Value> {
  /** `service:entity`; keys in Redis are `service:entity:<id>:v1`. */
  readonly name: string;
  /** Changes with the form of the values. */
  readonly version: string;
  readonly heldMax: number;
  readonly l1Ms: number;
  readonly aloneMs: number;
  /** What does not exist is remembered this long, in this process only. */
  readonly absentMs: number;
  readonly l2Ms: number;
  readonly tombstoneMs: number;
  readonly load: (id: string) => Promise<Value | null>;
  /** Of what Redis held; throws when it is no such value. */
  readonly parse: (json: unknown) => Value;
}

interface Held<Value> {
  readonly value: Value | null;
}

interface Load<Value> {
  readonly promise: Promise<Value | null>;
  isStale: boolean;
}

type Level = 'l1' | 'l2' | 'l3';

export class TwoLevelCache<Value> {
  readonly #options: CacheOptions<Value>;
  readonly #link: RedisLink;
  readonly #log: Log;
  readonly #l1: LRUCache<string, Held<Value>>;
  readonly #loads = new Map<string, Load<Value>>();
  readonly #found: Record<Level, number> = { l1: 0, l2: 0, l3: 0 };

  constructor(options: CacheOptions<Value>, link: RedisLink, log: Log, metrics: Metrics) {
    this.#options = options;
    this.#link = link;
    this.#log = log;
    this.#l1 = new LRUCache({ max: options.heldMax, ttl: options.l1Ms });
    link.listen({
      evicted: (key) => {
        const id = this.#idOf(key);
        if (id !== null) this.#forget(id);
      },
      changedState: () => this.#forgetAll(),
    });
    const prefix = `cache_${options.name.replaceAll(/[^a-z0-9]/g, '_')}`;
    metrics.counter(`${prefix}_total`, 'Look-ups by the level that answered.', () =>
      Object.entries(this.#found).map(([level, value]) => ({ labels: { level }, value })),
    );
    metrics.gauge(`${prefix}_held`, 'Values in this process.', () => [{ value: this.#l1.size }]);
  }

  /** null: it does not exist. Rejects only when the loader does. */
  get(id: string): Promise<Value | null> {
    const held = this.#l1.get(id);
    if (held !== undefined) {
      this.#found.l1++;
      return Promise.resolve(held.value);
    }
    const running = this.#loads.get(id);
    if (running !== undefined) return running.promise;
    const { promise, resolve } = Promise.withResolvers<Value | null>();
    const load: Load<Value> = { promise, isStale: false };
    this.#loads.set(id, load);
    resolve(
      this.#fetch(id, load).finally(() => {
        if (this.#loads.get(id) === load) this.#loads.delete(id);
      }),
    );
    return promise;
  }

  /** Call it after the change is durable. Never rejects. */
  async evict(id: string): Promise<void> {
    this.#forget(id);
    await this.#link.evict(this.#keyOf(id), this.#options.tombstoneMs);
  }

  async #fetch(id: string, load: Load<Value>): Promise<Value | null> {
    const cached = await this.#fromRedis(id);
    if (cached !== 'absent' && cached !== 'away' && cached !== 'tombstone') {
      this.#found.l2++;
      this.#hold(id, load, cached.value);
      return cached.value;
    }
    const value = await this.#options.load(id);
    this.#found.l3++;
    this.#hold(id, load, value);
    if (value !== null && cached === 'absent' && !load.isStale) this.#addToRedis(id, value);
    return value;
  }

  async #fromRedis(id: string): Promise<Held<Value> | 'absent' | 'away' | 'tombstone'> {
    if (!this.#link.isUp()) return 'away';
    try {
      const text = await this.#link.get(this.#keyOf(id));
      if (text === null) return 'absent';
      return text === '' ? 'tombstone' : { value: this.#options.parse(JSON.parse(text)) };
    } catch (error) {
      this.#log.debug('cache without redis', { cache: this.#options.name, error });
      return 'away';
    }
  }

  #addToRedis(id: string, value: Value): void {
    this.#link.add(this.#keyOf(id), JSON.stringify(value), this.#options.l2Ms).catch((error: unknown) => {
      this.#log.debug('cache without redis', { cache: this.#options.name, error });
    });
  }

  #hold(id: string, load: Load<Value>, value: Value | null): void {
    if (load.isStale) return;
    const { l1Ms, aloneMs, absentMs } = this.#options;
    const trustMs = this.#link.isUp() ? l1Ms : Math.min(l1Ms, aloneMs);
    this.#l1.set(id, { value }, { ttl: value === null ? Math.min(absentMs, trustMs) : trustMs });
  }

  #forget(id: string): void {
    this.#l1.delete(id);
    const load = this.#loads.get(id);
    if (load === undefined) return;
    // Who asks from now on must not be given what was read before.
    load.isStale = true;
    this.#loads.delete(id);
  }

  #forgetAll(): void {
    this.#l1.clear();
    for (const id of [...this.#loads.keys()]) this.#forget(id);
  }

  #keyOf(id: string): string {
    return `${this.#options.name}:${id}:${this.#options.version}`;
  }

  #idOf(key: string): string | null {
    const start = `${this.#options.name}:`;
    const end = `:${this.#options.version}`;
    return key.startsWith(start) && key.endsWith(end) ? key.slice(start.length, -end.length) : null;
  }
}
