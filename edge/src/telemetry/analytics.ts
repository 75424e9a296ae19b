/**
 * One data point per request for Workers Analytics Engine (https://developers.cloudflare.com/analytics/analytics-engine/):
 * written without waiting, sampled by the platform. The order of `blobs` and `doubles` is the table's columns: append
 * only.
 */
import type { Telemetry } from './request-record.ts';

/** What is used of the binding. */
export interface DataSet {
  writeDataPoint(point: { indexes?: string[]; blobs?: (string | null)[]; doubles?: number[] }): void;
}

/** index: the tenant, by which the platform samples; blob1 … blob8; double1 … double2. */
export function createAnalytics(dataSet: DataSet): Telemetry {
  return (record) => {
    dataSet.writeDataPoint({
      indexes: [record.tenantId ?? 'nobody'],
      blobs: [
        record.route,
        record.method,
        String(record.status),
        record.code,
        record.cache,
        record.limiter,
        record.country,
        record.colo,
      ],
      doubles: [1, record.durationMs],
    });
  };
}
