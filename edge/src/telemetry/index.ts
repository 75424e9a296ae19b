/** The door of telemetry: a record per request, and who may listen to it. */
export { createAnalytics, type DataSet } from './analytics.ts';
export { createRequestLog } from './log.ts';
export { Metrics } from './metrics.ts';
export { recordOf } from './record.ts';
export type { RequestRecord, Telemetry } from './request-record.ts';

import type { Telemetry } from './request-record.ts';

/** All of them, or nobody: without listeners no record is made. */
export function listeners(...each: readonly (Telemetry | null)[]): Telemetry | null {
  const present = each.filter((telemetry) => telemetry !== null);
  if (present.length === 0) return null;
  return (record) => {
    for (const telemetry of present) telemetry(record);
  };
}
