/**
 * Counters in the memory of one process, as Prometheus text (exposition format 0.0.4). For Deno and Node, where a
 * process lives long enough to be asked; Workers write data points (analytics.ts).
 *
 * Labels come from closed sets (routes, methods, statuses, outcomes); should that ever fail, series past a bound are
 * counted as `other`.
 */
import { edgeLimits } from '../limits.ts';
import type { Trouble } from '../ports.ts';
import type { RequestRecord, Telemetry } from './request-record.ts';

/** Upper bounds in seconds. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

interface Durations {
  readonly counts: number[];
  sumS: number;
  count: number;
}

export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Durations>();
  readonly #troubles = new Map<Trouble, number>();

  readonly count: Telemetry = (record) => {
    const labels = labelsOf(record);
    const series = this.#requests.has(labels) || this.#requests.size < edgeLimits.metricSeriesMax ? labels : OTHER;
    this.#requests.set(series, (this.#requests.get(series) ?? 0) + 1);
    this.#observe(record.route, record.durationMs / 1_000);
  };

  countTrouble(trouble: Trouble): void {
    this.#troubles.set(trouble, (this.#troubles.get(trouble) ?? 0) + 1);
  }

  write(): string {
    const lines = ['# HELP edge_requests_total Requests answered.', '# TYPE edge_requests_total counter'];
    for (const [labels, count] of this.#requests) lines.push(`edge_requests_total{${labels}} ${count}`);
    lines.push('# HELP edge_request_duration_seconds Until the answer began.');
    lines.push('# TYPE edge_request_duration_seconds histogram');
    for (const [route, durations] of this.#durations) lines.push(...histogram(route, durations));
    lines.push('# HELP edge_troubles_total What went wrong around the edge.', '# TYPE edge_troubles_total counter');
    for (const [trouble, count] of this.#troubles) lines.push(`edge_troubles_total{trouble="${trouble}"} ${count}`);
    return `${lines.join('\n')}\n`;
  }

  #observe(route: string, seconds: number): void {
    const known = this.#durations.get(route);
    const isNew = known === undefined && this.#durations.size < edgeLimits.metricSeriesMax;
    const name = known !== undefined || isNew ? route : 'other';
    const durations = this.#durations.get(name) ?? { counts: buckets.map(() => 0), sumS: 0, count: 0 };
    this.#durations.set(name, durations);
    durations.sumS += seconds;
    durations.count++;
    const at = buckets.findIndex((bound) => seconds <= bound);
    if (at >= 0) durations.counts[at] = (durations.counts[at] as number) + 1;
  }
}

const OTHER = 'route="other",method="other",status="0",cache="none",limiter="uncounted"';

function labelsOf({ route, method, status, cache, limiter }: RequestRecord): string {
  return `route="${route}",method="${method}",status="${status}",cache="${cache}",limiter="${limiter}"`;
}

function histogram(route: string, { counts, sumS, count }: Durations): string[] {
  const name = 'edge_request_duration_seconds';
  let below = 0;
  const lines = buckets.map((bound, at) => {
    below += counts[at] as number;
    return `${name}_bucket{route="${route}",le="${bound}"} ${below}`;
  });
  return [
    ...lines,
    `${name}_bucket{route="${route}",le="+Inf"} ${count}`,
    `${name}_sum{route="${route}"} ${sumS}`,
    `${name}_count{route="${route}"} ${count}`,
  ];
}
