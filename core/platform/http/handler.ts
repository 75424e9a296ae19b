/**
 * What a module's handler gets and gives. The one interface between the HTTP platform and the modules.
 *
 * - H1 a handler sees only requests that are signed, allowed, and valid: body and query are the schema's output.
 * - H2 a handler answers, or throws a {@link ProblemError}; anything else that it throws is a bug (500, logged).
 * - H3 whether the client still listens is not the handler's business: its answer is dropped if not. Only what makes an
 *   answer piece by piece is told.
 *
 * Must not know: sockets, uWebSockets.js, any module.
 */
import type {
  EdgeContext,
  FieldError,
  IdempotencyKey,
  ProblemCode,
  RequestId,
  RouteId,
  routes,
} from '@local-plus/contracts';
import type { z } from 'zod';

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : null;

type Streams<Id extends RouteId> = (typeof routes)[Id] extends { readonly format: 'ndjson' } ? true : false;

/** What the route's body schema makes of the body; its lines, unread, of an NDJSON route; null when it takes none. */
export type BodyOf<Id extends RouteId> =
  Streams<Id> extends true ? readonly string[] : OutputOf<(typeof routes)[Id]['body']>;
/** What the route's query schema makes of the query, defaults included; null when the route takes none. */
export type QueryOf<Id extends RouteId> = OutputOf<(typeof routes)[Id]['query']>;

export interface CoreRequest<Id extends RouteId = RouteId> {
  readonly routeId: RouteId;
  /** The `{…}` segments in the order of the path, not yet parsed. */
  readonly params: readonly string[];
  /** As sent, without the question mark. */
  readonly query: string;
  readonly queryValues: QueryOf<Id>;
  readonly body: BodyOf<Id>;
  readonly context: EdgeContext;
  /** Never null on a route that is `idempotent`. */
  readonly idempotencyKey: IdempotencyKey | null;
  readonly requestId: RequestId;
  readonly traceparent: string | null;
  /** On the clock of `performance.now()`: past it nobody waits for the answer. */
  readonly deadlineMs: number;
}

export interface CoreAnswer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
  /** Lower-case names, beside those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What an answer is made of that is sent while it is made. Asked piece by piece: what the client does not take waits. */
export interface AnswerSource {
  /** The next piece, not empty; null: that was all. Called again only when it has settled, and never after `stop`. */
  next(): Promise<string | null>;
  /**
   * Nobody listens any more: nothing new is begun. Resolves when all that was begun has come to its end. Called once at
   * most, possibly while a `next` is under way, for which nobody waits any more.
   */
  stop(): Promise<void>;
}

/** Status 200; the body is made by and by. A fault on the way ends the connection: the rest is missing, and seen to be. */
export interface StreamedAnswer {
  readonly mediaType: string;
  readonly source: AnswerSource;
  /** On the clock of `performance.now()`: then the connection is ended if the answer is still under way. */
  readonly endsMs: number;
}

export type AnyAnswer = CoreAnswer | StreamedAnswer;
type AnswerOf<Id extends RouteId> = Streams<Id> extends true ? AnyAnswer : CoreAnswer;

export type Handler<Id extends RouteId = RouteId> = (request: CoreRequest<Id>) => AnswerOf<Id> | Promise<AnswerOf<Id>>;
export type Handlers = { readonly [Id in RouteId]?: Handler<Id> };

/** The header of an answer that is an earlier request's. */
export const replayedHeaders: Readonly<Record<string, string>> = { 'idempotent-replayed': 'true' };

export interface ProblemDetails {
  /** For the caller's eyes: never the text of an exception. */
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  /** Whole seconds; 429 and 503 get 1 when it is absent. */
  readonly retryAfterS?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Goes to the log, never to the caller. */
  readonly cause?: unknown;
}

/** A refusal on its way to becoming a problem document. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly detail: string | undefined;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterS: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.detail ?? code, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.detail = details.detail;
    this.errors = details.errors;
    this.retryAfterS = details.retryAfterS;
    this.headers = details.headers;
  }
}
