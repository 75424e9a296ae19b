/**
 * Step ①a: the request's id, and its trace (W3C Trace Context, https://www.w3.org/TR/trace-context/).
 *
 * A caller's `x-request-id` is kept when it is a canonical UUID, its `traceparent` when it is valid in version 00;
 * anything else is replaced, never repaired.
 */
import { isUuid, type RequestId, uuidV7 } from '@local-plus/contracts';
import { hex } from './encoding.ts';

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export function requestIdOf(headers: Headers, nowMs: number): RequestId {
  const given = headers.get('x-request-id');
  return given !== null && isUuid(given) ? (given as RequestId) : uuidV7<RequestId>(nowMs);
}

/** The caller's, or a new trace that is sampled by whoever records (flags 01). */
export function traceparentOf(headers: Headers): string {
  const given = headers.get('traceparent');
  if (given !== null && given.length === 55 && TRACEPARENT.test(given)) return given;
  const random = hex(crypto.getRandomValues(new Uint8Array(24)));
  return `00-${random.slice(0, 32)}-${random.slice(32)}-01`;
}
