/**
 * Step ①c: browsers of other origins (Fetch standard, "CORS protocol", https://fetch.spec.whatwg.org/#http-cors-protocol).
 * Off unless `CORS_ORIGINS` names origins, for every merchant, or `CORS_MERCHANTS` lets each merchant name its own.
 *
 * - Origins are compared exactly; there is no wildcard, and no `Access-Control-Allow-Credentials`: callers are known by
 *   the key in `Authorization`, which no browser sends by itself.
 * - A preflight is answered here, from the route table: without a key, since browsers send none with it, without the
 *   origin server, and uncounted, since a refusal would cost as much. It carries no merchant either: it is granted to an
 *   origin that some merchant allows. Core is asked for those, bounded and remembered (known-origins.ts).
 * - What a caller is answered may be read by the origins of its own merchant. Who is nobody's caller gets what everybody
 *   gets, or a refusal: that may be read by any origin that some merchant allows, as far as the isolate knows it.
 * - An origin that is not listed may not preflight (403). Its other requests are treated as if CORS were off: no header
 *   lets its scripts read the answer.
 * - `Vary: Origin` stands on every answer, so that no cache gives one origin's answer to another.
 */
import { limits } from '@local-plus/contracts';
import { type Answer, type Exchange, refuse } from './exchange.ts';
import { refuseForOrigin } from './forward.ts';
import type { KnownOrigins } from './known-origins.ts';
import { countedOnAddress, rateLimitHeaders, retryAfter } from './limiting/headers.ts';
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
  preflight(exchange: Exchange): Answer | undefined | Promise<Answer | undefined>;
  /** What every answer carries for the browser; `vary`: what it has of that already. */
  headers(exchange: Exchange, vary: string | undefined): Readonly<Record<string, string>>;
}

export interface CorsOptions {
  /** The platform's: allowed whoever calls. */
  readonly origins: readonly string[];
  /** Merchants'; null: they have none. */
  readonly merchants: KnownOrigins | null;
  /** What may be asked of a path; nothing when it does not exist. */
  readonly methodsOf: (path: string) => readonly string[];
}

const off: Cors = { preflight: () => undefined, headers: () => ({}) };
/** `https://` and a host of 253 characters with a port: longer is no origin that anybody can allow. */
const ORIGIN = /^https:\/\/[a-z0-9.-]{1,253}(?::[0-9]{1,5})?$/;

export function createCors({ origins, merchants, methodsOf }: CorsOptions): Cors {
  if (origins.length === 0 && merchants === null) return off;
  const platform = new Set(origins);

  const grantPreflight = (exchange: Exchange): Answer | undefined => {
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
  };

  const askMerchants = async (exchange: Exchange, known: KnownOrigins, origin: string): Promise<Answer | undefined> => {
    const verdict = await known.find(exchange, origin);
    switch (verdict.kind) {
      case 'granted':
        return grantPreflight(exchange);
      case 'refused':
        return refuse(exchange, 'origin_not_allowed');
      case 'limited': {
        const counted = countedOnAddress(limits.ipRequestsPerMinute, verdict.take);
        const headers = { 'retry-after': retryAfter(counted), ...rateLimitHeaders(counted) };
        return refuse(exchange, 'rate_limited', { headers });
      }
      case 'away':
        return refuseForOrigin(exchange, 'unavailable');
    }
  };

  const mayRead = ({ grant, tenant }: Exchange, origin: string): boolean =>
    platform.has(origin) ||
    (merchants !== null && (grant === null ? merchants.isKnown(origin) : tenant?.allowedOrigins.has(origin) === true));

  return {
    preflight(exchange) {
      const { headers, method } = exchange;
      if (method !== 'OPTIONS' || !headers.has('origin') || !headers.has('access-control-request-method')) return;
      const origin = headers.get('origin') as string;
      if (platform.has(origin)) return grantPreflight(exchange);
      if (merchants === null || !ORIGIN.test(origin)) return refuse(exchange, 'origin_not_allowed');
      // What is nowhere is nobody's, and not worth a question.
      return methodsOf(exchange.path).length === 0 ? undefined : askMerchants(exchange, merchants, origin);
    },
    headers(exchange, already) {
      const vary = already === undefined ? 'origin' : `${already}, origin`;
      const origin = exchange.headers.get('origin');
      if (origin === null || !mayRead(exchange, origin)) return { vary };
      return { vary, 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders };
    },
  };
}
