/**
 * Step ①c: which route is it? Deny by default: what is not in the contracts' table, or among the machine paths, does
 * not exist (404); a path that exists with other methods answers 405 with `Allow` (RFC 9110 §15.5.6). A version that
 * nobody serves is told which are; another one would be rows of the same table.
 *
 * itty-router makes the patterns. The scan over them is ours: itty's would parse the target once more, as a URL, and be
 * waited for. What is found is the route's steps, which are run one after the other; the first answer ends. There is one
 * table per number of segments and name behind the version: the scan stays short however long the contracts' grows, and a
 * slash at the end, which itty's patterns overlook, is one segment more.
 */
import { matchRoute, type Route, routes, routesInOrder } from '@local-plus/contracts';
import { IttyRouter } from 'itty-router';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import type { Pipelines } from './pipeline.ts';

/** What a path and a method lead to. */
interface Found {
  readonly routeId: string;
  readonly steps: readonly Step[];
}

/** The search is over. */
const nothing: Found = { routeId: 'none', steps: [] };

interface Row {
  /** null: whichever it is. */
  readonly method: Route['method'] | null;
  readonly pattern: RegExp;
  readonly found: Found;
}

const VERSION = /^\/v[0-9]{1,3}(?=\/|$)/;
const versions = new Set(Object.values<Route>(routes).flatMap(({ path }) => VERSION.exec(path) ?? []));

export function createRouter(pipelines: Pipelines): (exchange: Exchange) => Promise<Answer> {
  const tables = new Map<string, Row[]>();
  const add = (path: string, method: Row['method'], found: Found): void => {
    const table = tables.get(groupOf(path)) ?? [];
    tables.set(groupOf(path), table);
    table.push({ method, pattern: patternOf(path), found });
  };
  for (const [path, steps] of Object.entries(pipelines.machine)) add(path, 'GET', { routeId: path, steps });
  for (const path of new Set(routesInOrder.map(([, route]) => route.path))) {
    if (path.split('/')[2]?.startsWith('{')) throw new Error(`${path}: what stands behind the version is a name`);
    for (const [id, route] of routesInOrder) {
      if (route.path === path) add(path, route.method, { routeId: id, steps: pipelines.stepsOf(route) });
    }
    // `/v1/transactions/bulk` is no transaction's: the search ends here, whatever the method.
    if (isTemplated(path)) add(path, null, nothing);
  }
  return async (exchange) => {
    const { steps, routeId } = find(tables.get(groupOf(exchange.path)) ?? [], exchange);
    exchange.routeId = routeId;
    for (const step of steps) {
      const stepped = step(exchange);
      // Only what is not there yet is waited for: most steps answer at once.
      const answer = stepped instanceof Promise ? await stepped : stepped;
      if (answer !== undefined) return answer;
    }
    return refuseUnrouted(exchange, pipelines);
  };
}

/** Whether the template of another path matches this one, too. */
function isTemplated(path: string): boolean {
  return routesInOrder.some(
    ([, other]) => other.path !== path && new RegExp(`^${other.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

/** Fills `params`. */
function find(rows: readonly Row[], exchange: Exchange): Found {
  const { path } = exchange;
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
  for (const row of rows) {
    if (row.method !== null && row.method !== method) continue;
    const match = row.pattern.exec(path);
    if (match === null) continue;
    exchange.params = match.groups ?? {};
    return row.found;
  }
  return nothing;
}

/** What itty matches `/v1/wallets/{wallet_id}` with; to itty it is `/v1/wallets/:wallet_id`. */
function patternOf(path: string): RegExp {
  const [entry] = IttyRouter().all(path.replaceAll(/\{(\w+)\}/g, ':$1')).routes;
  if (entry === undefined) throw new Error(`${path}: itty made no pattern`);
  return entry[1];
}

/** Which table has it: by the number of segments, and what stands behind the version. */
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
  if (allow.includes(exchange.method)) throw new Error('the router and the contracts disagree on a route');
  if (allow.length > 0) return refuse(exchange, 'method_not_allowed', { headers: { allow: allow.join(', ') } });
  const version = VERSION.exec(exchange.path)?.[0];
  const isUnknown = version !== undefined && !versions.has(version);
  return refuse(exchange, 'not_found', {
    detail: isUnknown ? `This API serves ${[...versions].join(', ')}.` : undefined,
  });
}
