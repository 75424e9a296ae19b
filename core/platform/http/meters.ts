/**
 * Requests by route and status, and how long they took. Counted in plain arrays, because the library's labelled
 * metrics hash their labels at every call; rendered through the registry when somebody asks.
 */
import type { Metrics } from '../telemetry/index.ts';
import type { Disbelief } from './verifier.ts';

/** Upper bounds in milliseconds. */
const BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 200, 500, 1_000, 2_500, 10_000] as const;

export class RouteMeter {
  readonly route: string;
  readonly countByStatus = new Map<number, number>();
  /** How many fell into each bucket, the last one for all that took longer. */
  readonly buckets = new Float64Array(BUCKETS_MS.length + 1);
  sumMs = 0;
  abortedCount = 0;

  constructor(route: string) {
    this.route = route;
  }

  observe(status: number, durationMs: number): void {
    this.countByStatus.set(status, (this.countByStatus.get(status) ?? 0) + 1);
    let index = 0;
    while (index < BUCKETS_MS.length && durationMs > (BUCKETS_MS[index] as number)) index++;
    this.buckets[index] = (this.buckets[index] as number) + 1;
    this.sumMs += durationMs;
  }

  aborted(): void {
    this.abortedCount++;
  }
}

export class HttpMeters {
  readonly #meters = new Map<string, RouteMeter>();
  readonly #disbelief = new Map<Disbelief, number>();

  route(name: string): RouteMeter {
    const meter = this.#meters.get(name) ?? new RouteMeter(name);
    this.#meters.set(name, meter);
    return meter;
  }

  #routes(): RouteMeter[] {
    return [...this.#meters.values()];
  }

  disbelieved(why: Disbelief): void {
    this.#disbelief.set(why, (this.#disbelief.get(why) ?? 0) + 1);
  }

  register(metrics: Metrics, inFlight: () => number, noncesHeld: () => number): void {
    metrics.counter('http_requests_total', 'Requests answered, or given up by their client.', () =>
      this.#routes().flatMap(({ route, countByStatus }) =>
        [...countByStatus].map(([status, value]) => ({ labels: { route, status: String(status) }, value })),
      ),
    );
    metrics.counter('http_requests_aborted_total', 'Requests whose client left before the answer.', () =>
      this.#routes().map(({ route, abortedCount }) => ({ labels: { route }, value: abortedCount })),
    );
    metrics.counter('http_signatures_refused_total', 'Requests that were not believed to come from the edge.', () =>
      [...this.#disbelief].map(([reason, value]) => ({ labels: { reason }, value })),
    );
    metrics.gauge('http_requests_in_flight', 'Requests being read or handled.', () => [{ value: inFlight() }]);
    metrics.gauge('http_nonces_held', 'Signed requests remembered against replay.', () => [{ value: noncesHeld() }]);
    metrics.histogram('http_request_duration_seconds', 'From the first byte to the answer.', () =>
      this.#routes().map(({ route, buckets, sumMs }) => ({
        labels: { route },
        bounds: BUCKETS_MS.map((bound) => bound / 1_000),
        counts: buckets,
        sum: sumMs / 1_000,
      })),
    );
  }
}
