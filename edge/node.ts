/**
 * The edge on Node: `node edge/node.ts`, with the bindings of config.ts and process-config.ts as environment variables,
 * and `HOST` (127.0.0.1) and `PORT` (8787) to listen on. TLS ends in front of it.
 *
 * Addresses are counted in the memory of the process: with several processes behind one name, each counts for itself.
 * SIGTERM and SIGINT end it gracefully; a second one at once.
 */
import process from 'node:process';
import {
  createEdge,
  createReporter,
  createRequestLog,
  listeners,
  MemoryLimiter,
  Metrics,
  parseConfig,
} from './index.ts';
import { serveEdge, serveMetrics } from './node/server.ts';
import { parsePort, parseProcessConfig } from './src/process-config.ts';

const PORT = 8787;

async function main(): Promise<void> {
  const faults: string[] = [];
  const own = parseProcessConfig(process.env, faults);
  const port = parsePort('PORT', process.env['PORT'], faults) ?? PORT;
  const reading = parseConfig(process.env);
  if (!reading.ok) faults.push(...reading.faults);
  if (!reading.ok || faults.length > 0) {
    console.error(`edge: not configured: ${faults.join('; ')}`);
    process.exitCode = 1;
    return;
  }
  const { config } = reading;
  const nowMs = (): number => Date.now();
  const log = (line: string): void => console.log(line);
  const metrics = new Metrics();
  const reportLine = createReporter((line) => console.error(line), nowMs);
  const report: typeof reportLine = (trouble, cause) => {
    metrics.countTrouble(trouble);
    reportLine(trouble, cause);
  };
  const sampleRate = config.surface.logSampleRate;
  const edge = createEdge({
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
  const metricsServer = own.metricsPort === null ? null : await serveMetrics(own.metricsPort, () => metrics.write());
  const host = process.env['HOST'] || '127.0.0.1';
  const server = await serveEdge({ edge, config: own, host, port, report, nowMs });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      metricsServer?.close();
      metricsServer?.closeAllConnections();
      server.stop().catch((cause: unknown) => report('bug', cause));
    });
  }
  log(JSON.stringify({ level: 'info', part: 'edge', event: 'listening', host, port: server.port }));
}

await main();
