/**
 * Step ①d: does the request have a body, may it, how large and of what type? Looks at headers only.
 *
 * RFC 9112 §6.1, §6.3: a transfer coding that is not understood is refused, and so is Content-Length together with
 * Transfer-Encoding. RFC 9110 §9.3.1: content in a GET has no meaning, and can be used for smuggling, so it is refused.
 * §15.5.14, §15.5.16: 413 and 415. How large, and of what type, is the route's (contracts/bodies.ts).
 */
import { type BodyRules, bodyRules, type Route } from '@local-plus/contracts';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';

const LENGTH = /^[0-9]{1,15}$/;

export function framing(route: Pick<Route, 'method' | 'body' | 'format'>): Step {
  const rules = bodyRules[route.format ?? 'json'];
  return (exchange) => {
    const { headers } = exchange;
    const length = headers.get('content-length');
    const coding = headers.get('transfer-encoding');
    const refusal = refuseLength(exchange, rules, length, coding);
    if (refusal) return refusal;
    if (coding !== null && coding.toLowerCase() !== 'chunked') {
      return refuseFraming(exchange, 'The one transfer coding is chunked.');
    }
    if (route.method === 'GET') {
      const isEmpty = length === null ? coding === null && exchange.request.body === null : Number(length) === 0;
      return isEmpty ? undefined : refuseFraming(exchange, 'A GET has no body.');
    }
    if (route.body !== null && !rules.accepts.test(headers.get('content-type') ?? '')) {
      return refuse(exchange, 'unsupported_media_type', { detail: `The body must be ${rules.mediaType}.` });
    }
    return undefined;
  };
}

function refuseLength(
  exchange: Exchange,
  rules: BodyRules,
  length: string | null,
  coding: string | null,
): Answer | undefined {
  if (length === null) return undefined;
  if (coding !== null) return refuseFraming(exchange, 'Content-Length and Transfer-Encoding exclude each other.');
  if (!LENGTH.test(length)) return refuseFraming(exchange, 'The Content-Length is not a number.');
  return Number(length) > rules.bytesMax ? refuse(exchange, 'payload_too_large') : undefined;
}

function refuseFraming(exchange: Exchange, detail: string): Answer {
  return refuse(exchange, 'invalid_request', { detail });
}
