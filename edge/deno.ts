/**
 * The edge on Deno: `deno serve -A edge/deno.ts`, with the bindings of config.ts as environment variables.
 *
 * The client's address is the connection's. Addresses are counted in the memory of the process: with several
 * processes behind one name, each counts for itself.
 */
import { createBrokenEdge, createEdge, createReporter, type Edge, MemoryLimiter, parseConfig } from './index.ts';

/** What is used of Deno, so that nothing else needs its types. */
declare const Deno: { readonly env: { toObject(): Record<string, string> } };
interface ServeInfo {
  readonly remoteAddr: { readonly hostname?: string };
}

function createDenoEdge(): Edge {
  const nowMs = (): number => Date.now();
  const reading = parseConfig(Deno.env.toObject());
  if (!reading.ok) {
    console.error(`edge: not configured: ${reading.faults.join('; ')}`);
    return createBrokenEdge(nowMs);
  }
  const report = createReporter((line) => console.error(line), nowMs);
  const { config } = reading;
  const memory = { addresses: new MemoryLimiter(), plans: new MemoryLimiter() };
  return createEdge({ config, fetch: (url, request) => fetch(url, request), nowMs, report, ...memory });
}

const edge = createDenoEdge();

/** A Deno process outlives every answer; what is left to finish only must not fail unseen. */
function waitUntil(work: Promise<unknown>): void {
  work.catch((cause: unknown) => console.error(`edge: work behind an answer failed: ${String(cause)}`));
}

export default {
  fetch: (request: Request, info: ServeInfo): Promise<Response> =>
    edge(request, { clientAddress: info.remoteAddr.hostname ?? null, waitUntil }),
};
