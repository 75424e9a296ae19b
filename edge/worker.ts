/**
 * The edge on Cloudflare Workers (and on workerd by itself): bindings in, ports out.
 *
 * The client's address is `cf-connecting-ip`, which Cloudflare sets and strips from what the client sent. Without it
 * the caller is nobody in particular, except locally, where everybody is 127.0.0.1.
 */
import {
  createBrokenEdge,
  createEdge,
  createReporter,
  DurableLimiter,
  type Edge,
  MemoryLimiter,
  parseConfig,
} from './index.ts';
import type { Environment } from './src/config.ts';
import type { RateLimiterObject } from './src/limiting/object.ts';

export { RateLimiterObject } from './src/limiting/object.ts';

export interface Bindings {
  readonly ORIGIN_URL: string;
  /** A secret: `wrangler secret put SIGNING_KEYS --env production`. */
  readonly SIGNING_KEYS: string;
  readonly ENVIRONMENT: Environment;
  /** Without it each isolate counts addresses by itself. */
  readonly RATE_LIMITER?: DurableObjectNamespace<RateLimiterObject>;
}

/** Bindings are the same for as long as an isolate lives, and so is what is made of them. */
let edge: Edge | null = null;

function createWorkerEdge(bindings: Bindings): Edge {
  const nowMs = (): number => Date.now();
  const reading = parseConfig({ ...bindings });
  if (!reading.ok) {
    console.error(`edge: not configured: ${reading.faults.join('; ')}`);
    return createBrokenEdge(nowMs);
  }
  const report = createReporter((line) => console.error(line), nowMs);
  const memory = new MemoryLimiter();
  return createEdge({
    config: reading.config,
    fetch: (url, request) => fetch(url, request),
    nowMs,
    addresses: bindings.RATE_LIMITER ? new DurableLimiter(bindings.RATE_LIMITER, memory, report) : memory,
    plans: new MemoryLimiter(),
    report,
  });
}

export default {
  fetch(request, bindings, context) {
    edge ??= createWorkerEdge(bindings);
    const vouched = request.headers.get('cf-connecting-ip');
    const clientAddress = vouched ?? (bindings.ENVIRONMENT === 'local' ? '127.0.0.1' : null);
    return edge(request, { clientAddress, waitUntil: (work) => context.waitUntil(work) });
  },
} satisfies ExportedHandler<Bindings>;
