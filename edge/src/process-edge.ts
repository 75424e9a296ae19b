/**
 * The edge as a process of its own, on Deno and Node: everything that the two have in common. Addresses and plans are
 * counted in the memory of the process: with several processes behind one name, each counts for itself.
 *
 * Lines go to the console: troubles to its error stream, requests to the other.
 */
import { type Config, parseConfig } from './config.ts';
import { createEdge } from './edge.ts';
import { MemoryLimiter } from './limiting/memory-limiter.ts';
import { MemoryPlans } from './limiting/memory-plans.ts';
import type { Edge, Ports } from './ports.ts';
import { type ProcessConfig, parseProcessConfig } from './process-config.ts';
import { createReporter } from './reporter.ts';
import { createRequestLog, listeners, Metrics } from './telemetry/index.ts';

export interface ProcessEdge {
  readonly edge: Edge;
  readonly report: Ports['report'];
  /** The text of `GET /metrics`. */
  readonly writeMetrics: () => string;
}

export interface ProcessBindings {
  readonly own: ProcessConfig;
  /** null: something is wrong, and `faults` says what. */
  readonly config: Config | null;
}

/** Clocks of a process. The steady one begins at the process's first moment by the wall, and is set by nobody. */
export const nowMs = (): number => Date.now();
const steadyMs = (): number => Math.floor(performance.timeOrigin + performance.now());

/** Reads all bindings; adds every fault to `faults`. */
export function parseBindings(bindings: Readonly<Record<string, unknown>>, faults: string[]): ProcessBindings {
  const own = parseProcessConfig(bindings, faults);
  const reading = parseConfig(bindings);
  if (!reading.ok) faults.push(...reading.faults);
  return { own, config: reading.ok && faults.length === 0 ? reading.config : null };
}

export function sayFaults(faults: readonly string[]): void {
  console.error(`edge: not configured: ${faults.join('; ')}`);
}

export function createProcessEdge(config: Config, own: ProcessConfig): ProcessEdge {
  const metrics = new Metrics();
  const reportLine = createReporter((line) => console.error(line), steadyMs);
  const report: Ports['report'] = (trouble, cause) => {
    metrics.countTrouble(trouble);
    reportLine(trouble, cause);
  };
  const sampleRate = config.surface.logSampleRate;
  const log = (line: string): void => console.log(line);
  const edge = createEdge({
    config,
    fetch: (url, request) => fetch(url, request),
    nowMs,
    steadyMs,
    random: Math.random,
    addresses: new MemoryLimiter(),
    plans: new MemoryPlans({ nowMs, steadyMs, report }),
    report,
    telemetry: listeners(
      sampleRate === 0 ? null : createRequestLog({ log, sampleRate, steadyMs, random: Math.random }),
      own.metricsPort === null ? null : metrics.count,
    ),
  });
  return { edge, report, writeMetrics: () => metrics.write() };
}
