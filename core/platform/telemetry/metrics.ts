/**
 * The metrics of the process, as Prometheus reads them. A part counts in numbers of its own and says here how to read
 * them; nothing is hashed or allocated on the way of a request.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type MetricValue, Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

export interface Reading {
  readonly labels?: Labels;
  readonly value: number;
}

export interface HistogramReading {
  readonly labels?: Labels;
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  /** How many fell between a bound and the one before; one more than there are bounds, for what lies above. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

export interface Metrics {
  /** Read at every scrape. Names follow Prometheus: base units, `_total` for counters. */
  counter(name: string, help: string, read: () => readonly Reading[]): void;
  gauge(name: string, help: string, read: () => readonly Reading[]): void;
  histogram(name: string, help: string, read: () => readonly HistogramReading[]): void;
  /** For whoever wants the library's own metrics. */
  readonly registry: Registry;
  /** The text of a scrape. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** With the process's own: event-loop lag, garbage collection, memory, CPU. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    contentType: registry.contentType,
    render: () => registry.metrics(),
    counter: (name, help, read) => registerReadings(new ReadCounter(name, help, read), registry),
    gauge: (name, help, read) => registerReadings(new ReadGauge(name, help, read), registry),
    histogram: (name, help, read) => registerReadings(new ReadHistogram(name, help, read), registry),
  };
}

function registerReadings(metric: Counter | Gauge | Histogram, registry: Registry): void {
  registry.registerMetric(metric);
}

function valuesOf(readings: readonly Reading[]): MetricValue<string>[] {
  return readings.map(({ labels = {}, value }) => ({ labels: { ...labels }, value }));
}

class ReadCounter extends Counter {
  readonly #read: () => readonly Reading[];

  constructor(name: string, help: string, read: () => readonly Reading[]) {
    super({ name, help, registers: [] });
    this.#read = read;
  }

  override async get() {
    return { ...(await super.get()), values: valuesOf(this.#read()) };
  }
}

class ReadGauge extends Gauge {
  readonly #read: () => readonly Reading[];

  constructor(name: string, help: string, read: () => readonly Reading[]) {
    super({ name, help, registers: [] });
    this.#read = read;
  }

  override async get() {
    return { ...(await super.get()), values: valuesOf(this.#read()) };
  }
}

class ReadHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #read: () => readonly HistogramReading[];

  constructor(name: string, help: string, read: () => readonly HistogramReading[]) {
    super({ name, help, registers: [] });
    this.#name = name;
    this.#help = help;
    this.#read = read;
  }

  /** The registry asks for this where a metric has it. */
  getForPromString() {
    const values = this.#read().flatMap((reading) => this.#samples(reading));
    return { name: this.#name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }

  #samples({ labels = {}, bounds, counts, sum }: HistogramReading) {
    let total = 0;
    const buckets = Array.from(counts, (count, index) => {
      total += count;
      const le = index < bounds.length ? String(bounds[index]) : '+Inf';
      return { metricName: `${this.#name}_bucket`, labels: { ...labels, le }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels: { ...labels }, value: sum },
      { metricName: `${this.#name}_count`, labels: { ...labels }, value: total },
    ];
  }
}
