/**
 * The bulk module: `POST /v1/transactions/bulk`. It owns no data: a line is a request of the ledger like any other, under a
 * key of its own, so that sending all of it again is harmless, and does what was not done.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { bodyRules, limits as wire } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { type BulkLimits, bulkLimits } from './limits.ts';
import { planOf } from './plan.ts';
import type { BulkLedger } from './ports.ts';
import { BulkRun } from './run.ts';

export type { AccountKey, BulkLedger, LineContext, LinePart } from './ports.ts';

export interface BulkOptions {
  readonly ledger: BulkLedger;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: BulkLimits;
}

export interface BulkModule {
  readonly handlers: Handlers;
}

export function createBulkModule({ ledger, log, metrics, limits = bulkLimits }: BulkOptions): BulkModule {
  const countByStatus = new Map<number, number>();
  metrics.counter('bulk_lines_total', 'Lines of bulk requests, by the status that they were answered with.', () =>
    [...countByStatus].map(([status, value]) => ({ labels: { status: String(status) }, value })),
  );
  const ports = {
    ledger,
    limits,
    monotonicMs: () => performance.now(),
    pause: (ms: number) => pause(ms),
    count: (status: number) => void countByStatus.set(status, (countByStatus.get(status) ?? 0) + 1),
  };
  return {
    handlers: {
      'transactions.bulk': async (request) => {
        const { requestId, deadlineMs } = request;
        const units = await planOf(request.body, limits.linesPerTurn);
        const failed = (error: unknown): void => log.error('a line failed', { request_id: requestId, error });
        return {
          mediaType: bodyRules.ndjson.mediaType,
          source: new BulkRun({ ...ports, failed }, units, request, deadlineMs),
          endsMs: deadlineMs + wire.bulkAnswerGraceMs,
        };
      },
    },
  };
}
