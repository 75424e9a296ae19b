/**
 * The edge on Node: `node edge/node.ts`, with the bindings of config.ts and process-config.ts as environment variables,
 * and `HOST` (127.0.0.1) and `PORT` (8787) to listen on. TLS ends in front of it. What it shares with Deno is in
 * src/process-edge.ts.
 *
 * SIGTERM and SIGINT end it gracefully; a second one at once.
 */
import process from 'node:process';
import { serveEdge, serveMetrics } from './node/server.ts';
import { parsePort } from './src/process-config.ts';
import { createProcessEdge, nowMs, parseBindings, sayFaults } from './src/process-edge.ts';

const PORT = 8787;

async function main(): Promise<void> {
  const faults: string[] = [];
  const port = parsePort('PORT', process.env['PORT'], faults) ?? PORT;
  const { own, config } = parseBindings(process.env, faults);
  if (config === null) {
    sayFaults(faults);
    process.exitCode = 1;
    return;
  }
  const { edge, report, writeMetrics } = createProcessEdge(config, own);
  const metricsServer = own.metricsPort === null ? null : await serveMetrics(own.metricsPort, writeMetrics);
  const host = process.env['HOST'] || '127.0.0.1';
  const server = await serveEdge({ edge, config: own, host, port, report, nowMs });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      metricsServer?.close();
      metricsServer?.closeAllConnections();
      server.stop().catch((cause: unknown) => report('bug', cause));
    });
  }
  console.log(JSON.stringify({ level: 'info', part: 'edge', event: 'listening', host, port: server.port }));
}

await main();
