/**
 * The edge on Deno: `deno serve -A edge/deno.ts`, with the bindings of config.ts and process-config.ts as environment
 * variables. What it shares with Node is in src/process-edge.ts.
 */
import { createBrokenEdge, type Edge } from './index.ts';
import { clientAddressOf, metricsMediaType, metricsPath } from './src/process-config.ts';
import { createProcessEdge, nowMs, parseBindings, sayFaults } from './src/process-edge.ts';

/** What is used of Deno, so that nothing else needs its types. */
declare const Deno: {
  readonly env: { toObject(): Record<string, string> };
  serve(options: { hostname: string; port: number }, handler: (request: Request) => Response): { unref(): void };
};
interface ServeInfo {
  readonly remoteAddr: { readonly hostname?: string };
}

const faults: string[] = [];
const { own, config } = parseBindings(Deno.env.toObject(), faults);

function createDenoEdge(): Edge {
  if (config === null) {
    sayFaults(faults);
    return createBrokenEdge(nowMs);
  }
  const { edge, writeMetrics } = createProcessEdge(config, own);
  if (own.metricsPort !== null) serveMetrics(own.metricsPort, writeMetrics);
  return edge;
}

/** `GET /metrics` on the loopback interface, and nothing else; it keeps no process alive that was told to end. */
function serveMetrics(port: number, write: () => string): void {
  Deno.serve({ hostname: '127.0.0.1', port }, (request) =>
    request.method === 'GET' && new URL(request.url).pathname === metricsPath
      ? new Response(write(), { headers: { 'content-type': metricsMediaType } })
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
