/**
 * Fields that concern one connection only, and so never pass (RFC 9110 §7.6.1): the known ones, and whatever `Connection`
 * names. Both ways nothing passes but what is on a list, and none of the known ones is; what is left to see to is a
 * sender that names a field of ours.
 */
import { type Exchange, refuse, type Step } from './exchange.ts';

/** What the edge itself goes by. A sender must not name in `Connection` what is meant for all recipients. */
const endToEnd = ['authorization', 'content-type', 'idempotency-key', 'if-none-match', 'traceparent', 'x-request-id'];

const none: ReadonlySet<string> = new Set();

/** The field names in `Connection`, in lower case. */
export function connectionOptions(headers: Headers): ReadonlySet<string> {
  const field = headers.get('connection');
  return field === null ? none : new Set(field.split(',').map((option) => option.trim().toLowerCase()));
}

/**
 * 400 for a request that calls a field of ours hop-by-hop: dropping it, as is asked, would make another request of it,
 * and whoever is in front of us may or may not have done so.
 */
export const refuseHopByHop: Step = (exchange: Exchange) => {
  const named = connectionOptions(exchange.headers);
  if (named.size === 0) return undefined;
  const ours = endToEnd.find((name) => named.has(name));
  if (ours === undefined) return undefined;
  return refuse(exchange, 'invalid_request', { detail: `Connection must not name ${ours}.` });
};
