/**
 * The edge: every request of the world comes through here, numbered as in ARCHITECTURE.md.
 *
 *     ① admit    trace → target → route → framing → admission → access → body → public cache
 *     ② forward  sign → origin → answer
 *
 * E1  The edge never answers a value-moving request by itself, and never sends one twice.
 * E2  Whatever happens, the answer is one of ours: a problem document (RFC 9457) for every refusal and every fault,
 *     `x-request-id` and the security headers on all of them.
 * E3  No text of an exception, and no header of the origin that is not on a list, reaches a client.
 *
 * The headers of an answer: HSTS (RFC 6797), and those of the OWASP REST security cheat sheet.
 */
import type { ProblemCode } from '@local-plus/contracts';
import { parseAddress } from './client-address.ts';
import { type Answer, Exchange, refuse } from './exchange.ts';
import { rateLimitHeaders } from './limiting/limiter.ts';
import { createPipelines } from './pipeline.ts';
import type { Edge, Ports, RequestInfo } from './ports.ts';
import { createRouter } from './router.ts';
import { readTarget } from './target.ts';
import { requestIdOf, traceparentOf } from './trace.ts';

const securityHeaders = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

/** The whole edge over its ports. What it returns never rejects. */
export function createEdge(ports: Ports): Edge {
  const route = createRouter(createPipelines(ports));
  return async (request, info) => {
    const exchange = open(request, info, ports.nowMs());
    try {
      return close(exchange, readTarget(exchange) ?? (await route(exchange)));
    } catch (cause) {
      ports.report('bug', cause);
      return close(exchange, refuse(exchange, 'internal'));
    }
  };
}

/** An edge that cannot work, because its configuration is not complete, and says so to every caller. */
export function createBrokenEdge(nowMs: () => number): Edge {
  const code: ProblemCode = 'internal';
  return async (request, info) => {
    const exchange = open(request, info, nowMs());
    return close(exchange, refuse(exchange, code));
  };
}

function open(request: Request, info: RequestInfo, startedAtMs: number): Exchange {
  const { headers } = request;
  return new Exchange(request, info, {
    startedAtMs,
    requestId: requestIdOf(headers, startedAtMs),
    traceparent: traceparentOf(headers),
    clientIp: (info.clientAddress === null ? null : parseAddress(info.clientAddress)) ?? '-',
  });
}

function close(exchange: Exchange, answer: Answer): Response {
  const { counted, request, requestId } = exchange;
  const isPublic = answer.headers['cache-control'] !== undefined;
  return new Response(request.method === 'HEAD' ? null : answer.body, {
    status: answer.status,
    headers: {
      ...securityHeaders,
      'x-request-id': requestId,
      // What others may keep says nothing of the one who fetched it.
      ...(counted === null || isPublic ? {} : rateLimitHeaders(counted)),
      ...answer.headers,
    },
  });
}
