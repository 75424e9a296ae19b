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

const patternsByLength = new Map<number, Pattern[]>();
for (const [id, route] of Object.entries(routes) as [RouteId, Route][]) {
  const segments = route.path.split('/').slice(1);
  const group = patternsByLength.get(segments.length) ?? [];
  group.push({ id, route, segments });
  patternsByLength.set(segments.length, group);
}

/**
 * Finds the route of a method and a canonical path (no query). `found: false` with an empty `allow` is 404, else 405.
 * HEAD is answered by the route of GET.
 */
export function matchRoute(method: string, path: string): RouteMatch {
  const segments = path.split('/').slice(1);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const allow = new Set<string>();
  for (const pattern of patternsByLength.get(segments.length) ?? []) {
    const params = matchSegments(pattern.segments, segments);
    if (params === null) continue;
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
