/**
 * What is told of one request, for logs and counters. No personal data: the route's id instead of the path, a network
 * instead of an address, ids of the tenant and its key, never a header, a body, or a secret.
 */

/** `none`: the route has no cache. */
export type CacheOutcome = 'hit' | 'stale' | 'miss' | 'none';

/** On which count the request passed, or which refused it; `stand_in`: the isolate's own counter decided. */
export type LimiterOutcome =
  | 'uncounted'
  | `${'address' | 'key' | 'customer' | 'tenant'}_${'allowed' | 'refused'}${'' | '_stand_in'}`;

export interface RequestRecord {
  /** The route's id in the contracts' table, a machine path, or `none`. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  /** The code of the edge's own refusal; null: core answered, or nothing was refused. */
  readonly code: string | null;
  /** Until the answer began. */
  readonly durationMs: number;
  readonly cache: CacheOutcome;
  readonly limiter: LimiterOutcome;
  readonly tenantId: string | null;
  readonly keyId: string | null;
  readonly requestId: string;
  readonly traceId: string;
  /** IPv4 /24, IPv6 /48; null when the address is not known. */
  readonly network: string | null;
  readonly country: string | null;
  readonly colo: string | null;
}

/** Who listens. Must neither throw nor wait. */
export type Telemetry = (record: RequestRecord) => void;
