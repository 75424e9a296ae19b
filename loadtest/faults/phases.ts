/** Attempts, counted by phase (before, during, after), as a table and as sentences about what was not clear. */
import { formatNumber, type Table } from '../table.ts';
import type { Attempt } from './client.ts';

export class Phase {
  readonly name: string;
  readonly startedMs = performance.now();
  endedMs: number | null = null;
  readonly #latenciesMs: number[] = [];
  readonly #outcomes = new Map<string, number>();
  readonly #unclear = new Map<string, number>();
  #withoutRetryAfter = 0;
  #answered = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(attempt: Attempt): void {
    const isAnswered = attempt.outcome === 'ok' || attempt.status === 409;
    if (isAnswered) {
      this.#answered++;
      this.#latenciesMs.push(attempt.latencyMs);
    }
    count(this.#outcomes, attempt.status === 0 ? attempt.outcome : `${attempt.status} ${attempt.outcome}`);
    if (!attempt.isClear) count(this.#unclear, attempt.outcome);
    if (attempt.status === 503 && !attempt.hasRetryAfter) this.#withoutRetryAfter++;
  }

  get seconds(): number {
    return ((this.endedMs ?? performance.now()) - this.startedMs) / 1_000;
  }

  /** Writes that got their final answer, a second. */
  get perSecond(): number {
    return this.#answered / this.seconds;
  }

  percentile(share: number): number {
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  }

  get statuses(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }

  /** What no client should have seen, in words. */
  faults(): string[] {
    const faults = [...this.#unclear].map(([outcome, times]) => `${this.name}: ${times} × ${outcome}`);
    if (this.#withoutRetryAfter > 0) faults.push(`${this.name}: ${this.#withoutRetryAfter} × 503 without Retry-After`);
    return faults;
  }
}

export function phasesTable(phases: readonly Phase[]): Table {
  return {
    title: 'Earns and burns through the edge',
    columns: ['phase', 'seconds', 'answered/s', 'p50 ms', 'p99 ms', 'attempts by outcome'],
    rows: phases.map((phase) => [
      phase.name,
      formatNumber(phase.seconds, 1),
      formatNumber(phase.perSecond, 1),
      formatNumber(phase.percentile(0.5), 1),
      formatNumber(phase.percentile(0.99), 1),
      [...phase.statuses].map(([outcome, times]) => `${outcome} × ${formatNumber(times)}`).join(', '),
    ]),
  };
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
