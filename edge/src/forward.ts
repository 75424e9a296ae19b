/**
 * Step ②c: hands the admitted request to core and its answer back. The edge decides nothing here: status and body are
 * core's, headers are an allow list (RFC 9110 §7.6.1: nothing hop-by-hop passes, nor what `Connection` calls so).
 */
import { bodyRules, edgeSubject, type ProblemCode, publicSubject, type Route } from '@local-plus/contracts';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import { connectionOptions } from './hop-by-hop.ts';
import { edgeLimits } from './limits.ts';
import type { Origin, OriginCall } from './origin.ts';

/** `cache-control` is not among them: the edge decides what may be kept, and for these answers it is nothing. */
const passed = ['content-type', 'idempotent-replayed', 'retry-after', 'location', 'etag', 'allow'] as const;

export function forward(route: Pick<Route, 'format'>, origin: Origin, steadyMs: () => number): Step {
  const rules = bodyRules[route.format ?? 'json'];
  return async (exchange) => {
    const sentAtMs = steadyMs();
    const budgetMs = rules.budgetMs - (sentAtMs - exchange.startedAtMs);
    // Core would have no time for it, and a time-out that the caller made would count as the origin's absence (circuit.ts).
    if (budgetMs < edgeLimits.forwardBudgetMsMin) return refuseForOrigin(exchange, 'deadline_exceeded');
    const outcome = await origin.send({
      method: exchange.method,
      target: exchange.target,
      budgetMs,
      answerGraceMs: rules.answerGraceMs,
      mediaType: rules.mediaType,
      clientIp: exchange.clientIp,
      merchantId: exchange.grant?.merchantId ?? null,
      subject: exchange.grant?.subject ?? publicSubject,
      scopes: exchange.grant?.scopes ?? [],
      idempotencyKey: exchange.idempotencyKey ?? '',
      requestId: exchange.requestId,
      traceparent: exchange.traceparent,
      body: exchange.body,
    });
    exchange.originMs += steadyMs() - sentAtMs;
    return outcome.ok ? answerOf(outcome.response) : refuseForOrigin(exchange, outcome.code, outcome.retryAfterS);
  };
}

/** A call that the edge makes on its own behalf, or on nobody's. */
export function ownCall(
  exchange: Pick<Exchange, 'requestId' | 'traceparent'>,
  target: string,
  budgetMs: number,
  subject: typeof edgeSubject | typeof publicSubject = edgeSubject,
): OriginCall {
  const { requestId, traceparent } = exchange;
  const { answerGraceMs, mediaType } = bodyRules.json;
  const nobody = { clientIp: '-', merchantId: null, scopes: [], idempotencyKey: '', body: null };
  return { method: 'GET', target, budgetMs, answerGraceMs, mediaType, subject, requestId, traceparent, ...nobody };
}

/** What the caller is told when the origin gave no answer. */
export function refuseForOrigin(
  exchange: Exchange,
  code: ProblemCode,
  retryAfterS: number = edgeLimits.awayRetryAfterS,
): Answer {
  const headers = { 'retry-after': String(retryAfterS) };
  if (code === 'unavailable') {
    return refuse(exchange, code, { detail: 'The origin cannot be reached right now.', headers });
  }
  return refuse(exchange, code, code === 'overloaded' || code === 'deadline_exceeded' ? { headers } : {});
}

function answerOf(response: Response): Answer {
  const { status, headers, body } = response;
  const hopByHop = connectionOptions(headers);
  const kept: Record<string, string> = {};
  for (const name of passed) {
    const value = hopByHop.has(name) ? null : headers.get(name);
    if (value !== null) kept[name] = value;
  }
  return { status, headers: kept, body };
}
