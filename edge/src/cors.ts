/**
 * Step ①c: browsers of other origins (Fetch standard, "CORS protocol", https://fetch.spec.whatwg.org/#http-cors-protocol).
 * Off unless `CORS_ORIGINS` names origins.
 *
 * - Origins are compared exactly; there is no wildcard, and no `Access-Control-Allow-Credentials`: callers are known by
 *   the key in `Authorization`, which no browser sends by itself.
 * - A preflight is answered here, from the route table: without a key, since browsers send none with it, without the
 *   origin, and uncounted, since a refusal would cost as much.
 * - An origin that is not listed may not preflight (403). Its other requests are treated as if CORS were off: no header
 *   lets its scripts read the answer.
 * - `Vary: Origin` stands on every answer, so that no cache gives one origin's answer to another.
 */
import { type Answer, type Exchange, refuse } from './exchange.ts';
import { edgeLimits } from './limits.ts';

/** What a script may send, beyond what it always may. */
const allowedHeaders = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-none-match',
  'traceparent',
  'x-request-id',
].join(', ');

/** What a script may read, beyond what it always may. */
const exposedHeaders = [
  'age',
  'allow',
  'cache-status',
  'etag',
  'idempotent-replayed',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-request-id',
].join(', ');

export interface Cors {
  /** The answer to a preflight; undefined when the request is none, and goes on. */
  preflight(exchange: Exchange): Answer | undefined;
  /** What every answer carries for the browser; `vary`: what it has of that already. */
  headers(exchange: Exchange, vary: string | undefined): Readonly<Record<string, string>>;
}

const off: Cors = { preflight: () => undefined, headers: () => ({}) };

/** `methodsOf`: what may be asked of a path; nothing when it does not exist. */
export function createCors(origins: readonly string[], methodsOf: (path: string) => readonly string[]): Cors {
  if (origins.length === 0) return off;
  const allowed = new Set(origins);
  return {
    preflight(exchange) {
      const { headers, method } = exchange.request;
      if (method !== 'OPTIONS' || !headers.has('origin') || !headers.has('access-control-request-method')) return;
      if (!allowed.has(headers.get('origin') as string)) return refuse(exchange, 'origin_not_allowed');
      const methods = methodsOf(exchange.path);
      if (methods.length === 0) return undefined;
      exchange.routeId = 'preflight';
      return {
        status: 204,
        headers: {
          'access-control-allow-methods': methods.join(', '),
          'access-control-allow-headers': allowedHeaders,
          'access-control-max-age': String(edgeLimits.corsMaxAgeS),
        },
        body: null,
      };
    },
    headers(exchange, already) {
      const vary = already === undefined ? 'origin' : `${already}, origin`;
      const origin = exchange.request.headers.get('origin');
      if (origin === null || !allowed.has(origin)) return { vary };
      return { vary, 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders };
    },
  };
}
