/**
 * Step ①c: which route is it? Deny by default: what is not in the contracts' table, or among the machine paths, does
 * not exist (404); a path that exists with other methods answers 405 with `Allow` (RFC 9110 §15.5.6). A version that
 * nobody serves is told which are; another one would be rows of the same table.
 *
 * itty-router does the matching and runs a route's steps as its handlers, the first answer ends. It tries its patterns
 * one after the other, so there is one router per number of segments: the scan stays short however long the table
 * grows, and a slash at the end, which itty would overlook, is one segment more.
 */
import { matchRoute, type Route, routes, routesInOrder } from '@local-plus/contracts';
import { type IRequest, IttyRouter, type IttyRouterType } from 'itty-router';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import type { Pipelines } from './pipeline.ts';

type Router = IttyRouterType<IRequest, [Exchange], Answer | undefined>;

/** itty wants a URL to match the path of; only the path counts. */
const BASE = 'http://edge';

const VERSION = /^\/v[0-9]{1,3}(?=\/|$)/;
const versions = new Set(Object.values<Route>(routes).flatMap(({ path }) => VERSION.exec(path) ?? []));

export function createRouter(pipelines: Pipelines): (exchange: Exchange) => Promise<Answer> {
  const routers = new Map<number, Router>();
  const routerOf = (path: string): Router => {
    const known = routers.get(depthOf(path)) ?? (IttyRouter<IRequest, [Exchange]>() as Router);
    routers.set(depthOf(path), known);
    return known;
  };
  for (const [path, steps] of Object.entries(pipelines.machine)) {
    routerOf(path).get(path, named(path), ...steps.map(handlerOf));
  }
  for (const path of new Set(routesInOrder.map(([, route]) => route.path))) {
    const router = routerOf(path);
    for (const [id, route] of routesInOrder) {
      if (route.path !== path) continue;
      const add = route.method === 'GET' ? router.get : router.post;
      add(ittyPattern(path), keepParams, named(id), ...pipelines.stepsOf(route).map(handlerOf));
    }
    // `/v1/transactions/bulk` is no transaction's: the search ends here, whatever the method.
    if (isTemplated(path)) router.all(ittyPattern(path), (_routed, exchange) => refuseUnrouted(exchange, pipelines));
  }
  return async (exchange) => {
    const { method } = exchange.request;
    const routed = { method: method === 'HEAD' ? 'GET' : method, url: BASE + exchange.path };
    const answer = await routers.get(depthOf(exchange.path))?.fetch(routed, exchange);
    return answer ?? refuseUnrouted(exchange, pipelines);
  };
}

/** Whether the template of another path matches this one, too. */
function isTemplated(path: string): boolean {
  return routesInOrder.some(
    ([, other]) => other.path !== path && new RegExp(`^${other.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

function handlerOf(step: Step): (routed: IRequest, exchange: Exchange) => ReturnType<Step> {
  return (_routed, exchange) => step(exchange);
}

function keepParams(routed: IRequest, exchange: Exchange): undefined {
  exchange.params = routed.params;
}

function named(id: string): (routed: IRequest, exchange: Exchange) => undefined {
  return (_routed, exchange) => {
    exchange.routeId = id;
  };
}

/** `/v1/wallets/{wallet_id}` → `/v1/wallets/:wallet_id` */
function ittyPattern(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function depthOf(path: string): number {
  return path.split('/').length;
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
