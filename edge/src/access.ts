/**
 * Step ①f: may this caller do this, to this, under this key? Short guards in the order of their precedence.
 *
 * RFC 6750 §3 (Bearer challenge), RFC 9110 §15.5.4 (403), and draft-ietf-httpapi-idempotency-key-header for
 * `Idempotency-Key`.
 */
import { allows, isUuid, parseIdempotencyKey, type Route, validateQuery } from '@local-plus/contracts';
import { refuse, type Step } from './exchange.ts';

/** What a 401 asks for (RFC 6750 §3). */
export const bearerChallenge = 'Bearer realm="local-plus"';

/** 401 unless an API key or a token vouches for the caller. Why a token does not is not told. */
export const requireCaller: Step = (exchange) =>
  exchange.grant === null
    ? refuse(exchange, 'unauthenticated', {
        headers: {
          'www-authenticate': exchange.hasBadToken ? `${bearerChallenge}, error="invalid_token"` : bearerChallenge,
        },
      })
    : undefined;

/** 403 unless the key, or the token, has the route's scope. */
export function requireScope(route: Pick<Route, 'scope'>): Step {
  return (exchange) => {
    const { grant } = exchange;
    if (allows(grant?.scopes ?? [], route.scope)) return undefined;
    if (grant?.policy !== 'customer') {
      return refuse(exchange, 'forbidden', { detail: `The API key lacks the scope ${route.scope}.` });
    }
    return refuse(exchange, 'forbidden', {
      detail: `The token lacks the scope ${route.scope}.`,
      headers: { 'www-authenticate': `${bearerChallenge}, error="insufficient_scope", scope="${route.scope}"` },
    });
  };
}

/** Every id in a path is a UUID: what is none cannot exist, and the origin need not be asked. */
export const requireIds: Step = (exchange) => {
  for (const id of Object.values(exchange.params)) {
    if (!isUuid(id)) return refuse(exchange, 'not_found');
  }
  return undefined;
};

/** 400 unless there is one well-formed Idempotency-Key. Two headers arrive joined by a space, and are refused too. */
export const requireIdempotencyKey: Step = (exchange) => {
  const given = exchange.headers.get('idempotency-key');
  if (given === null || given === '') return refuse(exchange, 'idempotency_key_missing');
  exchange.idempotencyKey = parseIdempotencyKey(given);
  return exchange.idempotencyKey === null ? refuse(exchange, 'idempotency_key_invalid') : undefined;
};

/** 400 unless the query is what the route's schema says; a route without one has no parameters. */
export function requireQuery(route: Pick<Route, 'query'>): Step {
  const ofNone = validateQuery(route.query, '');
  return (exchange) => {
    const validation = exchange.query === '' ? ofNone : validateQuery(route.query, exchange.query);
    return validation.ok ? undefined : refuse(exchange, 'invalid_request', { errors: validation.errors });
  };
}
