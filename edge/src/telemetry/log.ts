/**
 * One line of JSON per request, by the record (record.ts). Sampled: `LOG_SAMPLE_RATE` of the requests, and of those
 * that end in a fault of ours (5xx) all; off at 0. Bounded: past so many lines in a second, lines are counted instead,
 * and the next one says how many were not written.
 */
import { edgeLimits } from '../limits.ts';
import type { RequestRecord, Telemetry } from './request-record.ts';

export interface LogOptions {
  readonly log: (line: string) => void;
  /** 0 to 1. */
  readonly sampleRate: number;
  readonly steadyMs: () => number;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
}

export function createRequestLog({ log, sampleRate, steadyMs, random }: LogOptions): Telemetry {
  let second = 0;
  let lineCount = 0;
  let droppedCount = 0;
  return (record) => {
    if (sampleRate === 0 || (record.status < 500 && random() >= sampleRate)) return;
    const now = Math.floor(steadyMs() / 1_000);
    if (now !== second) {
      second = now;
      lineCount = 0;
    }
    if (lineCount >= edgeLimits.logLinesPerSecondMax) {
      droppedCount++;
      return;
    }
    lineCount++;
    log(lineOf(record, droppedCount));
    droppedCount = 0;
  };
}

function lineOf(record: RequestRecord, droppedCount: number): string {
  return JSON.stringify({
    level: record.status >= 500 ? 'error' : 'info',
    part: 'edge',
    event: 'request',
    route: record.route,
    method: record.method,
    status: record.status,
    code: record.code ?? undefined,
    duration_ms: record.durationMs,
    cache: record.cache,
    limiter: record.limiter,
    tenant_id: record.tenantId ?? undefined,
    key_id: record.keyId ?? undefined,
    request_id: record.requestId,
    trace_id: record.traceId,
    network: record.network ?? undefined,
    country: record.country ?? undefined,
    colo: record.colo ?? undefined,
    dropped: droppedCount === 0 ? undefined : droppedCount,
  });
}
