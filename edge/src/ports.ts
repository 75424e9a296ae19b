/**
 * What the edge needs from where it runs. Nothing in `src/` reaches for a clock, a network, a counter or a log but
 * through these, so that the same edge runs on Workers, Deno and Node, and in tests.
 */
import type { Config } from './config.ts';
import type { RateLimiter } from './limiting/limiter.ts';
import type { PlanLimiter } from './limiting/plan.ts';
import type { Telemetry } from './telemetry/request-record.ts';

export interface OriginRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** What can go wrong around the edge; each is counted, none reaches a client as text. */
export type Trouble =
  /** The shared counter failed or was late: the isolate's own counted. */
  | 'counter_away'
  /** The memory of months was full: a caller's month began anew (memory-plans.ts). */
  | 'month_forgotten'
  | 'origin_away'
  | 'origin_late'
  /** The origin answered with what is neither an answer nor a problem document. */
  | 'origin_unusable'
  /** The origin did not accept our signature: the two do not share a key, or a clock is off. */
  | 'signature_refused'
  /** An issuer's keys could not be had. */
  | 'issuer_away'
  /** More tokens are revoked than can be held: no token is accepted. */
  | 'revocations_full'
  /** The origin was not asked: it is away (circuit.ts). */
  | 'circuit_open'
  /** An exception that nothing expected. */
  | 'bug';

export interface Ports {
  readonly config: Config;
  readonly fetch: (url: string, request: OriginRequest) => Promise<Response>;
  /** Unix time: for what is compared with times of others (signatures, expiries), for months, and for ids. */
  readonly nowMs: () => number;
  /**
   * Whole milliseconds since a moment long ago, on a clock that nobody sets: for ages, waits and windows, whatever becomes
   * of {@link nowMs}. Comparable with nothing outside the process.
   */
  readonly steadyMs: () => number;
  /** 0 (included) to 1 (excluded); for jitter, not for secrets. */
  readonly random: () => number;
  /** Counts client addresses; shared between isolates where the platform can. */
  readonly addresses: RateLimiter;
  /** Counts API keys, customers with tokens, and merchants, against their plans; shared where the platform can. */
  readonly plans: PlanLimiter;
  readonly report: (trouble: Trouble, cause?: unknown) => void;
  /** Is told of every request; nobody: null or absent. */
  readonly telemetry?: Telemetry | null;
}

/** What the adapter knows of one request beyond the request. */
export interface RequestInfo {
  /** From whom the connection came, as the platform vouches for it; null when it does not say. */
  readonly clientAddress: string | null;
  /** Lets work outlive the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** The request's target as it stood on the wire, where the platform shows it; else it is read from the URL. */
  readonly target?: string;
  /** What the platform thinks of the caller; asked only when somebody wants to know. */
  readonly caller?: () => CallerFacts;
}

/** What a platform may know of a caller; what it does not know is absent. */
export interface CallerFacts {
  /** 1: surely automated … 99: surely human. */
  readonly botScore?: number | undefined;
  readonly isVerifiedBot?: boolean | undefined;
  /** Of the caller's network. */
  readonly asn?: number | undefined;
  /** ISO 3166-1 alpha-2, in capitals. */
  readonly country?: string | undefined;
  /** The platform's place that answers. */
  readonly colo?: string | undefined;
}

/**
 * What is used of a request, so that an adapter need not make a whole one. `arrayBuffer`: only of a platform whose HTTP
 * takes no more for a body than its Content-Length says.
 */
export type EdgeRequest = Pick<Request, 'method' | 'url' | 'headers' | 'body'> & Partial<Pick<Request, 'arrayBuffer'>>;

export type Edge = (request: EdgeRequest, info: RequestInfo) => Promise<Response>;
