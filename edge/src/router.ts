/**
 * Step ①c: which route is it? Deny by default: what is not in the contracts' table, or among the machine paths, does
 * not exist (404); a path that exists with other methods answers 405 with `Allow` (RFC 9110 §15.5.6). A version that
 * nobody serves is told which are; another one would be rows of the same table.
 *
 * itty-router does the matching, and only that: what it finds is the route's steps, which are run here, the first answer
 * ends. It tries its patterns one after the other, and asks a URL for its path at each: so there is one router per number of
 * segments and name behind the version. The scan stays short however long the table grows, and a slash at the end, which
 * itty would overlook, is one segment more.
 */
import { matchRoute, type Route, routes, routesInOrder } from '@local-plus/contracts';
import { type IRequest, IttyRouter, type IttyRouterType } from 'itty-router';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import type { Pipelines } from './pipeline.ts';

/** What a path and a method lead to. */
interface Found {
  readonly routeId: string;
  readonly steps: readonly Step[];
}

/** The search is over. */
const nothing: Found = { routeId: 'none', steps: [] };

type Router = IttyRouterType<IRequest, [Exchange], Found>;

/** itty wants a URL to match the path of; only the path counts. */
const BASE = 'http://edge';

const VERSION = /^\/v[0-9]{1,3}(?=\/|$)/;
const versions = new Set(Object.values<Route>(routes).flatMap(({ path }) => VERSION.exec(path) ?? []));

export function createRouter(pipelines: Pipelines): (exchange: Exchange) => Promise<Answer> {
  const routers = new Map<string, Router>();
  const routerOf = (path: string): Router => {
    const known = routers.get(groupOf(path)) ?? (IttyRouter<IRequest, [Exchange]>() as Router);
    routers.set(groupOf(path), known);
    return known;
  };
  for (const [path, steps] of Object.entries(pipelines.machine)) {
    routerOf(path).get(path, () => ({ routeId: path, steps }));
  }
  for (const path of new Set(routesInOrder.map(([, route]) => route.path))) {
    if (path.split('/')[2]?.startsWith('{')) throw new Error(`${path}: what stands behind the version is a name`);
    const router = routerOf(path);
    for (const [id, route] of routesInOrder) {
      if (route.path !== path) continue;
      const add = route.method === 'GET' ? router.get : router.post;
      add(ittyPattern(path), handlerOf({ routeId: id, steps: pipelines.stepsOf(route) }));
    }
    // `/v1/transactions/bulk` is no transaction's: the search ends here, whatever the method.
    if (isTemplated(path)) router.all(ittyPattern(path), () => nothing);
  }
  return async (exchange) => {
    const { method } = exchange.request;
    const routed = { method: method === 'HEAD' ? 'GET' : method, url: BASE + exchange.path };
    const found = (await routers.get(groupOf(exchange.path))?.fetch(routed, exchange)) ?? nothing;
    exchange.routeId = found.routeId;
    return (await run(found.steps, exchange)) ?? refuseUnrouted(exchange, pipelines);
  };
}

/** Whether the template of another path matches this one, too. */
function isTemplated(path: string): boolean {
  return routesInOrder.some(
    ([, other]) => other.path !== path && new RegExp(`^${other.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

function handlerOf(found: Found): (routed: IRequest, exchange: Exchange) => Found {
  return (routed, exchange) => {
    exchange.params = routed.params;
    return found;
  };
}

/** Only what is not there yet is waited for: most steps answer at once. */
async function run(steps: readonly Step[], exchange: Exchange): Promise<Answer | undefined> {
  for (const step of steps) {
    const stepped = step(exchange);
    const answer = stepped instanceof Promise ? await stepped : stepped;
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** `/v1/wallets/{wallet_id}` → `/v1/wallets/:wallet_id` */
function ittyPattern(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** Which router has it: by the number of segments, and what stands behind the version. */
function groupOf(path: string): string {
  const segments = path.split('/');
  return `${segments.length} ${segments[2]}`;
}

/** What may be asked of a path; nothing when it does not exist. */
export function methodsOf(path: string, { machine }: Pipelines): readonly string[] {
  if (Object.hasOwn(machine, path)) return ['GET', 'HEAD'];
  const match = matchRoute('', path);
  return match.found ? [] : match.allow;
}

function refuseUnrouted(exchange: Exchange, pipelines: Pipelines): Answer {
  const allow = methodsOf(exchange.path, pipelines);
  if (allow.includes(exchange.request.method)) throw new Error('the router and the contracts disagree on a route');
  if (allow.length > 0) return refuse(exchange, 'method_not_allowed', { headers: { allow: allow.join(', ') } });
  const version = VERSION.exec(exchange.path)?.[0];
  const isUnknown = version !== undefined && !versions.has(version);
  return refuse(exchange, 'not_found', {
    detail: isUnknown ? `This API serves ${[...versions].join(', ')}.` : undefined,
  });
}
