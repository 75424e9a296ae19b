/**
 * What the edge needs from where it runs. Nothing in `src/` reaches for a clock, a network, a counter or a log but
 * through these, so that the same edge runs on Workers, Deno and Node, and in tests.
 */
import type { Config } from './config.ts';
import type { RateLimiter } from './limiting/limiter.ts';

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
  | 'origin_away'
  | 'origin_late'
  /** The origin answered with what is neither an answer nor a problem document. */
  | 'origin_unusable'
  /** The origin did not accept our signature: the two do not share a key, or a clock is off. */
  | 'signature_refused'
  /** An exception that nothing expected. */
  | 'bug';

export interface Ports {
  readonly config: Config;
  readonly fetch: (url: string, request: OriginRequest) => Promise<Response>;
  readonly nowMs: () => number;
  /** Counts client addresses; shared between isolates where the platform can. */
  readonly addresses: RateLimiter;
  /** Counts API keys against their plans. The isolate's memory: exact per isolate. */
  readonly plans: RateLimiter;
  readonly report: (trouble: Trouble, cause?: unknown) => void;
}

/** What the adapter knows of one request beyond the request. */
export interface RequestInfo {
  /** From whom the connection came, as the platform vouches for it; null when it does not say. */
  readonly clientAddress: string | null;
  /** Lets work outlive the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
}

export type Edge = (request: Request, info: RequestInfo) => Promise<Response>;
