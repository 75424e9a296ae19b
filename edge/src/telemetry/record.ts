/**
 * Makes the record of a request from what the steps left in the exchange: once, when the answer is known, and only
 * while somebody listens.
 */
import type { Answer, Exchange } from '../exchange.ts';
import type { CacheOutcome, LimiterOutcome, RequestRecord } from './request-record.ts';

/** Methods that anybody makes up would make as many counters. */
const methods = new Set(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']);

export function recordOf(exchange: Exchange, answer: Answer, steadyMs: number): RequestRecord {
  const { method, grant, traceparent, clientIp, info } = exchange;
  const caller = info.caller?.() ?? {};
  return {
    route: exchange.routeId,
    method: methods.has(method) ? method : 'other',
    status: answer.status,
    code: exchange.refusedWith,
    durationMs: Math.max(0, steadyMs - exchange.startedAtMs),
    cache: cacheOutcome(answer.headers['cache-status']),
    limiter: limiterOutcome(exchange.counted),
    tenantId: grant?.merchantId ?? null,
    // A customer's subject is a person's.
    keyId: grant?.policy === 'key' ? grant.subject : null,
    requestId: exchange.requestId,
    traceId: traceparent.slice(3, 35),
    network: networkOf(clientIp),
    country: caller.country ?? null,
    colo: caller.colo ?? null,
  };
}

/** From `Cache-Status` (RFC 9211): a hit past its time is stale. */
function cacheOutcome(cacheStatus: string | undefined): CacheOutcome {
  if (cacheStatus === undefined) return 'none';
  if (!cacheStatus.includes('; hit')) return 'miss';
  return /; ttl=(?:-|0(?:;|$))/.test(cacheStatus) ? 'stale' : 'hit';
}

function limiterOutcome(counted: Exchange['counted']): LimiterOutcome {
  if (counted === null) return 'uncounted';
  const { policy, allowed, standIn } = counted;
  return `${policy}_${allowed ? 'allowed' : 'refused'}${standIn ? '_stand_in' : ''}`;
}

/** `192.0.2.7` → `192.0.2.0/24`, `2001:db8:1:2:0:0:0:3` → `2001:db8:1::/48`; addresses in canonical form. */
export function networkOf(address: string): string | null {
  if (address.includes(':')) return `${address.split(':').slice(0, 3).join(':')}::/48`;
  const dot = address.lastIndexOf('.');
  return dot < 0 ? null : `${address.slice(0, dot)}.0/24`;
}
