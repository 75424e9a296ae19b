/**
 * Which steps a route has, in their order: derived from its row in the contracts' table, never written by hand.
 *
 *     framing → who and how often → scope → ids → Idempotency-Key → query, body → cache or origin
 */
import { type Route, validateQuery } from '@local-plus/contracts';
import { requireCaller, requireIdempotencyKey, requireIds, requireQuery, requireScope } from './access.ts';
import { Admission } from './admission.ts';
import { readBody } from './body.ts';
import { refuse, type Step } from './exchange.ts';
import { forward } from './forward.ts';
import { framing } from './framing.ts';
import { answerAlive, answerOpenapi, answerReady } from './machine.ts';
import { Origin } from './origin.ts';
import type { Ports } from './ports.ts';
import { PublicCache } from './public-cache.ts';

export interface Pipelines {
  readonly stepsOf: (route: Route) => readonly Step[];
  /** The GETs that are not in the contracts' table. */
  readonly machine: Readonly<Record<string, readonly Step[]>>;
}

export function createPipelines(ports: Ports): Pipelines {
  const origin = new Origin(ports);
  const admission = new Admission(ports, origin);
  const cache = new PublicCache(ports, origin);
  const toOrigin = forward(origin, ports.nowMs);
  const get = framing({ method: 'GET', body: null });
  return {
    stepsOf: (route) => [
      framing(route),
      admission.admit(route),
      ...(route.scope === null ? [] : [requireCaller, requireScope(route)]),
      requireIds,
      ...(route.method === 'POST' && route.idempotent ? [requireIdempotencyKey] : []),
      ...(route.cacheS === null ? [requireQuery(route)] : []),
      ...(route.method === 'POST' ? [readBody(route)] : []),
      route.cacheS === null ? toOrigin : fromCache(cache, route, route.cacheS),
    ],
    machine: {
      '/healthz': [get, answerAlive],
      '/readyz': [get, answerReady(origin, ports.nowMs)],
      '/openapi.json': [get, admission.admit({ scope: null }), answerOpenapi()],
    },
  };
}

/** The cache knows a query by what it means: defaults filled in, in the order of the names. */
function fromCache(cache: PublicCache, route: Route, cacheS: number): Step {
  return (exchange) => {
    const query = validateQuery(route.query, exchange.query);
    if (!query.ok) return refuse(exchange, 'invalid_request', { errors: query.errors });
    const members = Object.entries(query.value as Record<string, unknown>)
      .map(([name, value]): [string, string] => [name, String(value)])
      .sort(([left], [right]) => (left < right ? -1 : 1));
    const canonical = new URLSearchParams(members).toString();
    return cache.answer(exchange, canonical === '' ? exchange.path : `${exchange.path}?${canonical}`, cacheS);
  };
}
