/**
 * Step ②c: hands the admitted request to core and its answer back. The edge decides nothing here: status and body are
 * core's, headers are an allow list (RFC 9110 §7.6.1: nothing hop-by-hop passes).
 */
import { edgeSubject, limits, type ProblemCode, publicSubject } from '@local-plus/contracts';
import { type Answer, type Exchange, refuse, type Step } from './exchange.ts';
import { edgeLimits } from './limits.ts';
import type { Origin, OriginCall } from './origin.ts';

/** `cache-control` is not among them: the edge decides what may be kept, and for these answers it is nothing. */
const passed = ['content-type', 'idempotent-replayed', 'retry-after', 'location', 'etag', 'allow'] as const;

export function forward(origin: Origin, nowMs: () => number): Step {
  return async (exchange) => {
    const budgetMs = limits.requestBudgetMs - (nowMs() - exchange.startedAtMs);
    if (budgetMs <= 0) return refuseForOrigin(exchange, 'gateway_timeout');
    const outcome = await origin.send({
      method: exchange.request.method,
      target: exchange.target,
      budgetMs,
      clientIp: exchange.clientIp,
      merchantId: exchange.grant?.merchant_id ?? null,
      subject: exchange.grant?.api_key_id ?? publicSubject,
      scopes: exchange.grant?.scopes ?? [],
      idempotencyKey: exchange.idempotencyKey ?? '',
      requestId: exchange.requestId,
      traceparent: exchange.traceparent,
      body: exchange.body,
    });
    return outcome.ok ? answerOf(outcome.response) : refuseForOrigin(exchange, outcome.code);
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
  const nobody = { clientIp: '-', merchantId: null, scopes: [], idempotencyKey: '', body: null };
  return { method: 'GET', target, budgetMs, subject, requestId, traceparent, ...nobody };
}

/** What the caller is told when the origin gave no answer. */
export function refuseForOrigin(exchange: Exchange, code: ProblemCode): Answer {
  return code === 'unavailable'
    ? refuse(exchange, code, {
        detail: 'The origin cannot be reached right now.',
        headers: { 'retry-after': String(edgeLimits.awayRetryAfterS) },
      })
    : refuse(exchange, code);
}

function answerOf(response: Response): Answer {
  const headers: Record<string, string> = {};
  for (const name of passed) {
    const value = response.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  return { status: response.status, headers, body: response.body };
}
