/**
 * Step ①b: the request's target, length first, then form (RFC 3986 §3.3, §3.4; RFC 9110 §15.5.15).
 *
 * Two parties that read a path differently can be played against each other, so there is one spelling: no percent-
 * encoding, no empty, `.` or `..` segment, no `;`, no backslash. The query may be percent-encoded, but holds no
 * character that `fetch` would rewrite: what is signed is what is sent.
 *
 * workerd and every URL parser resolve plain `.` and `..` segments before a Worker sees them: those arrive here
 * already resolved, and the resolved path is what is routed and signed.
 */
import { limits } from '@local-plus/contracts';
import { type Answer, type Exchange, refuse } from './exchange.ts';

const PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,=:@-]+)*\/?$/;
const QUERY = /^(?:[A-Za-z0-9._~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/** Fills `target`, `path` and `query`. Refuses with `uri_too_long`, `invalid_path` or `invalid_request`. */
export function readTarget(exchange: Exchange): Answer | undefined {
  const target = exchange.info.target ?? targetOf(exchange.request.url);
  if (target.length > limits.targetBytesMax) return refuse(exchange, 'uri_too_long');
  const mark = target.indexOf('?');
  exchange.path = mark < 0 ? target : target.slice(0, mark);
  exchange.query = mark < 0 ? '' : target.slice(mark + 1);
  exchange.target = exchange.query === '' ? exchange.path : target;
  if (!PATH.test(exchange.path)) return refuse(exchange, 'invalid_path');
  if (!QUERY.test(exchange.query)) {
    return refuse(exchange, 'invalid_request', {
      errors: [{ pointer: '?', code: 'invalid_characters', detail: 'The query is not in canonical form.' }],
    });
  }
  return undefined;
}

function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start < 0 ? '/' : url.slice(start);
}
