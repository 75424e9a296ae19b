/**
 * The edge on Deno: `deno serve -A edge/deno.ts`, with the bindings of config.ts and process-config.ts as environment
 * variables.
 *
 * Addresses are counted in the memory of the process: with several
 * processes behind one name, each counts for itself.
 */
import {
  createBrokenEdge,
  createEdge,
  createReporter,
  createRequestLog,
  type Edge,
  listeners,
  MemoryLimiter,
  Metrics,
  parseConfig,
} from './index.ts';
import { clientAddressOf, metricsMediaType, metricsPath, parseProcessConfig } from './src/process-config.ts';

/** What is used of Deno, so that nothing else needs its types. */
declare const Deno: {
  readonly env: { toObject(): Record<string, string> };
  serve(options: { hostname: string; port: number }, handler: (request: Request) => Response): { unref(): void };
};
interface ServeInfo {
  readonly remoteAddr: { readonly hostname?: string };
}

const bindings = Deno.env.toObject();
const faults: string[] = [];
const own = parseProcessConfig(bindings, faults);

function createDenoEdge(): Edge {
  const nowMs = (): number => Date.now();
  const reading = parseConfig(bindings);
  if (!reading.ok) faults.push(...reading.faults);
  if (!reading.ok || faults.length > 0) {
    console.error(`edge: not configured: ${faults.join('; ')}`);
    return createBrokenEdge(nowMs);
  }
  const { config } = reading;
  const metrics = new Metrics();
  const reportLine = createReporter((line) => console.error(line), nowMs);
  const report: typeof reportLine = (trouble, cause) => {
    metrics.countTrouble(trouble);
    reportLine(trouble, cause);
  };
  if (own.metricsPort !== null) serveMetrics(own.metricsPort, metrics);
  const sampleRate = config.surface.logSampleRate;
  const log = (line: string): void => console.log(line);
  return createEdge({
    config,
    fetch: (url, request) => fetch(url, request),
    nowMs,
    random: Math.random,
    addresses: new MemoryLimiter(),
    plans: new MemoryLimiter(),
    report,
    telemetry: listeners(
      sampleRate === 0 ? null : createRequestLog({ log, sampleRate, nowMs, random: Math.random }),
      own.metricsPort === null ? null : metrics.count,
    ),
  });
}

/** `GET /metrics` on the loopback interface, and nothing else; it keeps no process alive that was told to end. */
function serveMetrics(port: number, metrics: Metrics): void {
  Deno.serve({ hostname: '127.0.0.1', port }, (request) =>
    request.method === 'GET' && new URL(request.url).pathname === metricsPath
      ? new Response(metrics.write(), { headers: { 'content-type': metricsMediaType } })
      : new Response(null, { status: 404 }),
  ).unref();
}

const edge = createDenoEdge();

/** A Deno process outlives every answer; what is left to finish only must not fail unseen. */
function waitUntil(work: Promise<unknown>): void {
  work.catch((cause: unknown) => console.error(`edge: work behind an answer failed: ${String(cause)}`));
}

export default {
  fetch: (request: Request, info: ServeInfo): Promise<Response> =>
    edge(request, {
      clientAddress: clientAddressOf(own, request.headers, info.remoteAddr.hostname ?? null),
      waitUntil,
    }),
};
