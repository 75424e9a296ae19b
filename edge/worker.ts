/**
 * The edge on Cloudflare Workers (and on workerd by itself): bindings in, ports out.
 *
 * The client's address is `cf-connecting-ip`, which Cloudflare sets and strips from what the client sent. Without it
 * the caller is nobody in particular, except locally, where everybody is 127.0.0.1.
 */
import { waitUntil } from 'cloudflare:workers';
import {
  type CallerFacts,
  createAnalytics,
  createBrokenEdge,
  createEdge,
  createReporter,
  createRequestLog,
  type DataSet,
  DurableLimiter,
  type Edge,
  LeasedPlans,
  listeners,
  MemoryLimiter,
  MemoryPlans,
  parseConfig,
} from './index.ts';
import type { Environment } from './src/config.ts';
import type { RateLimiterObject } from './src/limiting/object.ts';
import type { PlanObject } from './src/limiting/plan-object.ts';

export { RateLimiterObject } from './src/limiting/object.ts';
export { PlanObject } from './src/limiting/plan-object.ts';

export interface Bindings {
  readonly ORIGIN_URL: string;
  /** A secret: `wrangler secret put SIGNING_KEYS --env production`. */
  readonly SIGNING_KEYS: string;
  readonly ENVIRONMENT: Environment;
  /** Customers' tokens and Cloudflare Access, each group all or nothing; src/auth/config.ts says what they hold. */
  readonly JWT_ISSUER?: string;
  readonly JWT_AUDIENCE?: string;
  readonly JWT_JWKS_URL?: string;
  readonly JWT_TENANT_CLAIM?: string;
  readonly ACCESS_TEAM_DOMAIN?: string;
  readonly ACCESS_AUD?: string;
  /** Without it each isolate counts addresses by itself. */
  readonly RATE_LIMITER?: DurableObjectNamespace<RateLimiterObject>;
  /** Without it each isolate counts plans by itself. */
  readonly PLAN_COUNTERS?: DurableObjectNamespace<PlanObject>;
  /** A data set of Analytics Engine; without it no data points are written. */
  readonly ANALYTICS?: DataSet;
}

/** Bindings are the same for as long as an isolate lives, and so is what is made of them. */
let edge: Edge | null = null;

function createWorkerEdge(bindings: Bindings): Edge {
  const nowMs = (): number => Date.now();
  // The platform sets it, and moves it with I/O only; there is no other clock in an isolate.
  const steadyMs = nowMs;
  const reading = parseConfig({ ...bindings });
  if (!reading.ok) {
    console.error(`edge: not configured: ${reading.faults.join('; ')}`);
    return createBrokenEdge(nowMs);
  }
  const report = createReporter((line) => console.error(line), steadyMs);
  const memory = new MemoryLimiter();
  const ownPlans = new MemoryPlans({ nowMs, steadyMs, report });
  const { config } = reading;
  const sampleRate = config.surface.logSampleRate;
  const log = (line: string): void => console.log(line);
  return createEdge({
    config,
    fetch: (url, request) => fetch(url, request),
    nowMs,
    steadyMs,
    random: Math.random,
    addresses: bindings.RATE_LIMITER ? new DurableLimiter(bindings.RATE_LIMITER, memory, report, waitUntil) : memory,
    plans: bindings.PLAN_COUNTERS ? new LeasedPlans(bindings.PLAN_COUNTERS, ownPlans, { steadyMs, report }) : ownPlans,
    report,
    telemetry: listeners(
      sampleRate === 0 ? null : createRequestLog({ log, sampleRate, steadyMs, random: Math.random }),
      bindings.ANALYTICS ? createAnalytics(bindings.ANALYTICS) : null,
    ),
  });
}

/** https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties; `cf` is absent locally. */
function factsOf(cf: IncomingRequestCfProperties | undefined): CallerFacts {
  if (cf === undefined) return {};
  const bots = cf.botManagement;
  return {
    botScore: bots?.score,
    isVerifiedBot: bots?.verifiedBot,
    asn: cf.asn,
    country: cf.country,
    colo: cf.colo,
  };
}

export default {
  fetch(request, bindings, context) {
    edge ??= createWorkerEdge(bindings);
    const vouched = request.headers.get('cf-connecting-ip');
    const clientAddress = vouched ?? (bindings.ENVIRONMENT === 'local' ? '127.0.0.1' : null);
    return edge(request, {
      clientAddress,
      waitUntil: (work) => context.waitUntil(work),
      caller: () => factsOf(request.cf),
    });
  },
} satisfies ExportedHandler<Bindings>;
