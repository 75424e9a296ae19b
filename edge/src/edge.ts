/**
 * The edge: every request of the world comes through here, numbered as in ARCHITECTURE.md.
 *
 *     ① admit    trace → target → preflight → route → framing → admission → access → body → public cache
 *     ② forward  sign → origin → answer
 *
 * E1  The edge never answers a value-moving request by itself, and never sends one twice.
 * E2  Whatever happens, the answer is one of ours: a problem document (RFC 9457) for every refusal and every fault,
 *     `x-request-id` and the security headers on all of them.
 * E3  No text of an exception, and no header of the origin that is not on a list, reaches a client.
 */
import type { ProblemCode } from '@local-plus/contracts';
import { BrokenBody, LateBody } from './body.ts';
import { parseAddress } from './client-address.ts';
import { type Cors, createCors } from './cors.ts';
import { type Answer, Exchange, refuse } from './exchange.ts';
import { KnownOrigins } from './known-origins.ts';
import { rateLimitHeaders } from './limiting/headers.ts';
import { Origin } from './origin.ts';
import { createPipelines } from './pipeline.ts';
import type { Edge, EdgeRequest, Ports, RequestInfo } from './ports.ts';
import { createRouter, methodsOf } from './router.ts';
import { securityHeaders } from './security-headers.ts';
import { serverTiming } from './server-timing.ts';
import { readTarget } from './target.ts';
import { recordOf } from './telemetry/record.ts';
import { requestIdOf, traceparentOf } from './trace.ts';

/** The whole edge over its ports. What it returns never rejects. */
export function createEdge(ports: Ports): Edge {
  const { nowMs, steadyMs, report, telemetry } = ports;
  const origin = new Origin(ports);
  const pipelines = createPipelines(ports, origin);
  const { corsOrigins, merchantOrigins } = ports.config.surface;
  const cors = createCors({
    origins: corsOrigins,
    merchants: merchantOrigins ? new KnownOrigins(ports, origin) : null,
    methodsOf: (path) => methodsOf(path, pipelines),
  });
  const route = createRouter(pipelines);
  const answer = async (exchange: Exchange): Promise<Answer> => {
    try {
      return readTarget(exchange) ?? (await cors.preflight(exchange)) ?? (await route(exchange));
    } catch (cause) {
      if (cause instanceof BrokenBody) return refuse(exchange, 'invalid_request', { detail: 'The body broke off.' });
      if (cause instanceof LateBody) return refuse(exchange, 'request_timeout');
      report('bug', cause);
      return refuse(exchange, 'internal');
    }
  };
  return async (request, info) => {
    const exchange = open(request, info, nowMs(), steadyMs());
    const answered = await answer(exchange);
    const answeredAtMs = steadyMs();
    if (telemetry) telemetry(recordOf(exchange, answered, answeredAtMs));
    return close(exchange, answered, cors, serverTiming(exchange, answered, answeredAtMs));
  };
}

/** An edge that cannot work, because its configuration is not complete, and says so to every caller. */
export function createBrokenEdge(nowMs: () => number): Edge {
  const code: ProblemCode = 'internal';
  return async (request, info) => {
    const exchange = open(request, info, nowMs(), 0);
    return close(exchange, refuse(exchange, code), null, null);
  };
}

/** As the platform's own: it copies them into an answer at once, and reads a plain object member by member. */
const onAll = new Headers(securityHeaders);

function open(request: EdgeRequest, info: RequestInfo, nowMs: number, startedAtMs: number): Exchange {
  const { headers } = request;
  return new Exchange(request, info, {
    startedAtMs,
    requestId: requestIdOf(headers, nowMs),
    traceparent: traceparentOf(headers),
    clientIp: (info.clientAddress === null ? null : parseAddress(info.clientAddress)) ?? '-',
  });
}

function close(exchange: Exchange, answer: Answer, cors: Cors | null, timing: string | null): Response {
  const { counted, method, requestId } = exchange;
  const response = new Response(method === 'HEAD' ? null : answer.body, {
    status: answer.status,
    headers: onAll,
  });
  const { headers } = response;
  headers.set('x-request-id', requestId);
  // What others may keep says nothing of the one who fetched it.
  if (counted !== null && answer.headers['cache-control'] === undefined) setAll(headers, rateLimitHeaders(counted));
  if (timing !== null) headers.set('server-timing', timing);
  setAll(headers, answer.headers);
  if (cors !== null) setAll(headers, cors.headers(exchange, answer.headers['vary']));
  return response;
}

function setAll(headers: Headers, fields: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(fields)) headers.set(name, fields[name] as string);
}
