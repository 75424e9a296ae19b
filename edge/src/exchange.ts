/**
 * One request on its way through the edge, what the steps have found out about it so far, and the answer that ends it.
 *
 * A step either returns an answer, and nothing after it runs, or writes what it found into the exchange. Answers are
 * plain data: the one `Response` of a request is made at the end, in edge.ts.
 */
import {
  type FieldError,
  type IdempotencyKey,
  type merchants,
  type ProblemCode,
  problem,
  problemMediaType,
  type RequestId,
} from '@local-plus/contracts';
import type { Counted } from './limiting/headers.ts';
import type { Plan } from './limiting/plan.ts';
import type { EdgeRequest, RequestInfo } from './ports.ts';

export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream | null;
}

export type Step = (exchange: Exchange) => Answer | undefined | Promise<Answer | undefined>;

/** What vouches for the caller, and what it allows. */
export interface Grant {
  /** On whose plan it counts: an API key's, or a customer's who has a token. */
  readonly policy: 'key' | 'customer';
  /** The API key's id, or the token's `sub`. */
  readonly subject: string;
  /** null: the operator. */
  readonly merchantId: string | null;
  readonly scopes: readonly merchants.Scope[];
  readonly plan: Plan;
  /** Names the plan's counter. */
  readonly planKey: string;
}

/** The merchant that a caller acts for, as far as the edge has to know it. */
export interface Tenant {
  /** Whether its keys and customers may call; its members still may do what core says. */
  readonly isActive: boolean;
  /** What all of its callers may ask for together; null: as much as each of them may. */
  readonly plan: Plan | null;
  readonly planKey: string;
  /** Whose scripts may read what its callers are answered. */
  readonly allowedOrigins: ReadonlySet<string>;
}

export class Exchange {
  readonly request: EdgeRequest;
  /** The request's, which a platform may make anew whenever it is asked. */
  readonly method: string;
  readonly headers: Headers;
  readonly info: RequestInfo;
  /** By the steady clock (ports.ts). */
  readonly startedAtMs: number;
  readonly requestId: RequestId;
  readonly traceparent: string;
  /** Path and query exactly as received; what is signed and sent on. */
  target = '/';
  path = '/';
  /** Without the question mark. */
  query = '';
  params: Readonly<Record<string, string>> = {};
  /** The route's id, or the machine path; `none` while there is none. */
  routeId = 'none';
  /** The code of the edge's own refusal. */
  refusedWith: ProblemCode | null = null;
  /** The caller's address in canonical form; `-` when unknown. */
  readonly clientIp: string;
  /** What vouches for the request; null: nothing. */
  grant: Grant | null = null;
  /** Whom it acts for; null: nobody, the operator, or a merchant of which nothing is said. */
  tenant: Tenant | null = null;
  /** It came with a token that is none, or none any more. */
  hasBadToken = false;
  /** What the limiters said. */
  counted: Counted | null = null;
  idempotencyKey: IdempotencyKey | null = null;
  /** As how many requests of its plan it counts. */
  costsRequests = 1;
  /** How long it waited for the origin's answer to begin. */
  originMs = 0;
  /** Exactly as received; null: the request has none. */
  body: Uint8Array<ArrayBuffer> | null = null;

  constructor(
    request: EdgeRequest,
    info: RequestInfo,
    found: { startedAtMs: number; requestId: RequestId; traceparent: string; clientIp: string },
  ) {
    this.request = request;
    this.method = request.method;
    this.headers = request.headers;
    this.info = info;
    this.startedAtMs = found.startedAtMs;
    this.requestId = found.requestId;
    this.traceparent = found.traceparent;
    this.clientIp = found.clientIp;
  }
}

export interface Refusal {
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  readonly headers?: Record<string, string> | undefined;
}

/** A problem document (RFC 9457) as the answer; the table in contracts has the status and the words. */
export function refuse(exchange: Exchange, code: ProblemCode, refusal: Refusal = {}): Answer {
  exchange.refusedWith = code;
  const document = problem(code, exchange.requestId, refusal.detail, refusal.errors);
  return {
    status: document.status,
    headers: { 'content-type': problemMediaType, ...refusal.headers },
    body: JSON.stringify(document),
  };
}
