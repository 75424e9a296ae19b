/** Method and path → route, by the table of `routes.ts`. */
import { type Route, type RouteId, routes } from './routes.ts';

export type RouteMatch =
  | {
      readonly found: true;
      readonly id: RouteId;
      readonly route: Route;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly found: false; readonly allow: readonly string[] };

interface Pattern {
  readonly id: RouteId;
  readonly route: Route;
  readonly segments: readonly string[];
}

/** Concrete paths stand before templated ones (OpenAPI 3.1, Paths Object): what is literal earlier comes first. */
function placeOf(path: string): string {
  return path.replaceAll(/\/([^/])[^/]*/g, (_segment, first: string) => (first === '{' ? '1' : '0'));
}

/** The table in the order in which a path is looked for in it. */
export const routesInOrder: readonly (readonly [RouteId, Route])[] = (
  Object.entries(routes) as [RouteId, Route][]
).toSorted(
  ([, one], [, other]) =>
    Number(placeOf(one.path) > placeOf(other.path)) - Number(placeOf(one.path) < placeOf(other.path)),
);

const patternsByLength = new Map<number, Pattern[]>();
for (const [id, route] of routesInOrder) {
  const segments = route.path.split('/').slice(1);
  const group = patternsByLength.get(segments.length) ?? [];
  group.push({ id, route, segments });
  patternsByLength.set(segments.length, group);
}

/**
 * Finds the route of a method and a canonical path (no query). `found: false` with an empty `allow` is 404, else 405.
 * HEAD is answered by the route of GET. A path belongs to one row of paths: `/v1/transactions/bulk` is no transaction's.
 */
export function matchRoute(method: string, path: string): RouteMatch {
  const segments = path.split('/').slice(1);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const allow = new Set<string>();
  let owner: string | null = null;
  for (const pattern of patternsByLength.get(segments.length) ?? []) {
    if (owner !== null && pattern.route.path !== owner) continue;
    const params = matchSegments(pattern.segments, segments);
    if (params === null) continue;
    owner = pattern.route.path;
    if (pattern.route.method === wanted) return { found: true, id: pattern.id, route: pattern.route, params };
    allow.add(pattern.route.method);
    if (pattern.route.method === 'GET') allow.add('HEAD');
  }
  return { found: false, allow: [...allow].sort() };
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] as string;
    if (part.startsWith('{')) {
      if (segment === '') return null;
      params[part.slice(1, -1)] = segment;
    } else if (part !== segment) {
      return null;
    }
  }
  return params;
}
