/**
 * Which steps a route has, in their order: derived from its row in the contracts' table, never written by hand.
 *
 *     framing → who and how often → bot policy → Access, on the operator's → scope → ids → Idempotency-Key → query, body (lines: how many) → cache or origin
 */
import { type Route, validateQuery } from '@local-plus/contracts';
import { requireCaller, requireIdempotencyKey, requireIds, requireQuery, requireScope } from './access.ts';
import { Admission } from './admission.ts';
import { requireAccess } from './auth/cloudflare-access.ts';
import { JwtVerifier } from './auth/verifier.ts';
import { readBody, readLines } from './body.ts';
import { botSteps } from './bots.ts';
import { refuse, type Step } from './exchange.ts';
import { forward } from './forward.ts';
import { framing } from './framing.ts';
import { refuseHopByHop } from './hop-by-hop.ts';
import { answerAlive, answerOpenapi, answerReady } from './machine.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';
import { PublicCache } from './public-cache.ts';
import { answerSecurityTxt, securityTxtPath } from './security-txt.ts';

export interface Pipelines {
  readonly stepsOf: (route: Route) => readonly Step[];
  /** The GETs that are not in the contracts' table. */
  readonly machine: Readonly<Record<string, readonly Step[]>>;
}

export function createPipelines(ports: Ports, origin: Origin): Pipelines {
  const admission = new Admission(ports, origin);
  const cache = new PublicCache(ports, origin);
  const { bots, securityTxt } = ports.config.surface;
  const { access } = ports.config;
  const accessSteps = access === null ? [] : [requireAccess(new JwtVerifier(access, ports))];
  const get = framing({ method: 'GET', body: null });
  const lastStep = (route: Route): Step => {
    const step = route.cacheS === null ? forward(route, origin, ports.steadyMs) : fromCache(cache, route, route.cacheS);
    return route.problems.includes('not_found') ? admission.chargeMisses(route, step) : step;
  };
  return {
    stepsOf: (route) => [
      framing(route),
      refuseHopByHop,
      admission.admit(route),
      ...botSteps(bots),
      ...(route.scope === null ? [] : accessSteps.map((step) => (route.scope === 'admin' ? step : ofOperator(step)))),
      ...(route.scope === null ? [] : [requireCaller, requireScope(route)]),
      requireIds,
      ...(route.method === 'POST' && route.idempotent ? [requireIdempotencyKey] : []),
      ...(route.cacheS === null ? [requireQuery(route)] : []),
      ...bodySteps(route, admission, ports.steadyMs),
      lastStep(route),
    ],
    machine: {
      '/healthz': [get, answerAlive],
      '/readyz': [get, answerReady(origin, ports.steadyMs)],
      '/openapi.json': [get, admission.admit({ scope: null }), answerOpenapi()],
      ...(securityTxt === null
        ? {}
        : { [securityTxtPath]: [get, admission.admit({ scope: null }), answerSecurityTxt(securityTxt, ports.nowMs)] }),
    },
  };
}

/** Who has the operator's token needs more than that, on whatever route. */
function ofOperator(step: Step): Step {
  return (exchange) => (exchange.grant?.scopes.includes('admin') ? step(exchange) : undefined);
}

function bodySteps(route: Route, admission: Admission, steadyMs: () => number): readonly Step[] {
  if (route.method !== 'POST') return [];
  return route.format === 'ndjson' ? [readLines(route, steadyMs), admission.countRest()] : [readBody(route, steadyMs)];
}

/** The cache knows a query by what it means: defaults filled in, in the order of the names. */
function fromCache(cache: PublicCache, route: Route, cacheS: number): Step {
  if (route.scope !== null || route.method !== 'GET') throw new Error(`${route.path}: only public GETs are cached`);
  return (exchange) => {
    const query = validateQuery(route.query, exchange.query);
    if (!query.ok) return refuse(exchange, 'invalid_request', { errors: query.errors });
    const members = Object.entries(query.value as Record<string, unknown>)
      .map(([name, value]): [string, string] => [name, String(value)])
      .sort(([left], [right]) => (left < right ? -1 : 1));
    const canonical = new URLSearchParams(members).toString();
    const target = canonical === '' ? exchange.path : `${exchange.path}?${canonical}`;
    return cache.answer(exchange, target, { cacheS, generation: route.generation });
  };
}
