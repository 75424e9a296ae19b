/** The door of edge: the portable edge, its ports and its configuration. `worker.ts`, `deno.ts`, `node.ts` adapt it. */
export { parseConfig } from './src/config.ts';
export { createBrokenEdge, createEdge } from './src/edge.ts';
export { DurableLimiter } from './src/limiting/durable-limiter.ts';
export { LeasedPlans } from './src/limiting/leased-plans.ts';
export type { RateLimiter, Take } from './src/limiting/limiter.ts';
export { MemoryLimiter } from './src/limiting/memory-limiter.ts';
export { MemoryPlans } from './src/limiting/memory-plans.ts';
export type { Plan, PlanLimiter, PlanTake } from './src/limiting/plan.ts';
export type { CallerFacts, Edge, EdgeRequest, Ports, RequestInfo, Trouble } from './src/ports.ts';
export { createReporter } from './src/reporter.ts';
export { createAnalytics, createRequestLog, type DataSet, listeners, Metrics } from './src/telemetry/index.ts';
