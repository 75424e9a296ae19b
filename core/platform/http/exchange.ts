/**
 * ③ One request, from its first byte to its answer.
 *
 *     reading → handling → (streaming →) done          aborted, at any point: nothing is touched any more
 *
 * - X1 everything of the native request is read before the native handler returns (U1).
 * - X2 after an abort the response is never touched (U2). A handler that runs goes on: what it does may be durable.
 * - X3 the server is told exactly once that the exchange is over: at its answer, at an abort while reading, or when
 *   the handler of an aborted request, or the source of its streamed answer, comes to its end. So the bound on requests
 *   is a bound on work.
 * - X4 core never trusts the edge's validation: signature, scope, key, JSON and shape are checked here, in this order.
 * - X5 who has too much waiting is sent away after signature and scope, before anything else is looked at: a stranger learns
 *   nothing of how busy a tenant or a wallet is, and cannot keep anybody away.
 *
 * Must not know: what a route does.
 */
import type { EdgeContext, IdempotencyKey, ProblemCode } from '@local-plus/contracts';
import type { Log } from '../telemetry/index.ts';
import { AnswerStream, writeStreamHead } from './answer-stream.ts';
import { answerOf, problemAnswer, writeAnswer } from './answers.ts';
import { parseBody, parseKey, parseQuery } from './content.ts';
import type { Endpoint } from './endpoints.ts';
import { type AnyAnswer, type CoreAnswer, type ProblemDetails, ProblemError, type StreamedAnswer } from './handler.ts';
import { RequestHead } from './head.ts';
import type { RouteMeter } from './meters.ts';
import type { NativeRequest, NativeResponse } from './uws.ts';
import type { Disbelief, SignatureVerifier } from './verifier.ts';

/** What an exchange needs of its server. */
export interface ExchangeHost {
  readonly verifier: SignatureVerifier;
  readonly log: Log;
  /** The problem that an outside trouble is to the caller; null: a bug. */
  readonly explain: (error: unknown) => ProblemError | null;
  readonly isDraining: () => boolean;
  /** X3. */
  readonly over: () => void;
  readonly disbelieved: (why: Disbelief) => void;
  /** X5. How many milliseconds this caller had better stay away; 0: it may go on. */
  readonly sendAway: (context: EdgeContext, params: readonly string[], deadlineMs: number) => number;
}

const noBytes = new Uint8Array();

/** `cork` runs its argument before it returns: one function for all answers, in place of one each. */
let corked: Exchange | null = null;
const writeCorked = (): void => corked?.write();

export class Exchange {
  readonly #host: ExchangeHost;
  readonly #endpoint: Endpoint;
  readonly #meter: RouteMeter;
  readonly #response: NativeResponse;
  readonly #head: RequestHead;
  readonly #arrivedMs = performance.now();

  #state: 'reading' | 'handling' | 'streaming' | 'done' = 'reading';
  #aborted = false;
  #closes = false;
  #answer: CoreAnswer | null = null;
  #stream: AnswerStream | null = null;
  /** What arrived so far, when the body comes in more than one piece. */
  #body: Buffer | null = null;
  #bodyBytes = 0;

  /** Call it, and one of `begin` and `refuse`, inside the native handler. */
  constructor(
    host: ExchangeHost,
    endpoint: Endpoint,
    meter: RouteMeter,
    response: NativeResponse,
    request: NativeRequest,
    method: string,
  ) {
    this.#host = host;
    this.#endpoint = endpoint;
    this.#meter = meter;
    this.#response = response;
    this.#head = new RequestHead(request, endpoint, method);
    response.onAborted(() => this.#abort());
  }

  begin(): void {
    const refusal = this.#head.refusal(this.#endpoint);
    if (refusal !== null) {
      this.#closes = refusal.closes;
      this.refuse(refusal.code, refusal);
    } else if (this.#endpoint.method === 'GET') {
      this.#decide(noBytes);
    } else {
      this.#response.onData((chunk, isLast) => this.#receive(chunk, isLast));
    }
  }

  refuse(code: ProblemCode, details?: ProblemDetails): void {
    this.#finish(problemAnswer(code, this.#head.requestId, details));
  }

  #receive(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#state !== 'reading') return;
    const total = this.#bodyBytes + chunk.byteLength;
    if (total > this.#endpoint.rules.bytesMax) {
      this.#closes = true;
      this.refuse('payload_too_large');
      return;
    }
    if (isLast && this.#bodyBytes === 0) {
      this.#decide(new Uint8Array(chunk));
      return;
    }
    this.#body ??= Buffer.allocUnsafeSlow(this.#head.contentBytes ?? this.#endpoint.rules.bytesMax);
    this.#body.set(new Uint8Array(chunk), this.#bodyBytes);
    this.#bodyBytes = total;
    if (isLast) this.#decide(this.#body.subarray(0, total));
  }

  #decide(bytes: Uint8Array): void {
    this.#state = 'handling';
    const head = this.#head;
    const context = this.#host.verifier.verify(
      head.contextText,
      head.signature,
      head.method,
      head.target,
      head.idempotencyText,
      bytes,
      Date.now(),
    );
    if (typeof context === 'string') {
      this.#host.disbelieved(context);
      return this.refuse(context === 'full' ? 'overloaded' : 'signature_invalid');
    }
    if (!this.#endpoint.allows(context)) return this.refuse('forbidden');
    const deadlineMs = this.#arrivedMs + Math.min(context.budgetMs, this.#endpoint.rules.budgetMs);
    const awayMs = this.#host.sendAway(context, head.params, deadlineMs);
    if (awayMs > 0) return this.refuse('overloaded', { retryAfterS: Math.ceil(awayMs / 1_000) });
    const key = parseKey(this.#endpoint, head.idempotencyText);
    if ('code' in key) return this.refuse(key.code, key.details);
    const body = parseBody(this.#endpoint, bytes);
    if ('code' in body) return this.refuse(body.code, body.details);
    const query = parseQuery(this.#endpoint, head.query);
    if ('code' in query) return this.refuse(query.code, query.details);
    this.#handle(context, key.value, body.value, query.value, deadlineMs);
  }

  #handle(
    context: EdgeContext,
    idempotencyKey: IdempotencyKey | null,
    body: unknown,
    queryValues: unknown,
    deadlineMs: number,
  ): void {
    if (performance.now() >= deadlineMs) {
      this.refuse('deadline_exceeded');
      return;
    }
    let answer: AnyAnswer | Promise<AnyAnswer>;
    try {
      answer = this.#endpoint.handle({
        routeId: this.#endpoint.routeId,
        params: this.#head.params,
        query: this.#head.query,
        queryValues,
        body,
        context,
        idempotencyKey,
        requestId: this.#head.requestId,
        traceparent: this.#head.traceparent,
        deadlineMs,
      });
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (settled) => this.#settle(settled),
        (error: unknown) => this.#fail(error),
      );
    } else {
      this.#settle(answer);
    }
  }

  #settle(answer: AnyAnswer): void {
    if ('source' in answer) this.#send(answer);
    else this.#finish(answer);
  }

  /** Of a client that left while its request was handled, nothing is asked. */
  #send(answer: StreamedAnswer): void {
    this.#state = 'streaming';
    const { requestId } = this.#head;
    const over = (): void => {
      this.#state = 'done';
      this.#meter.observe(200, performance.now() - this.#arrivedMs);
      this.#host.over();
    };
    if (this.#aborted || this.#head.method === 'HEAD') {
      // Nothing is asked of the source.
      if (!this.#aborted) writeStreamHead(this.#response, answer.mediaType, requestId);
      answer.source.stop().then(over, (error: unknown) => this.#broken(error, over));
      return;
    }
    this.#stream = new AnswerStream(this.#response, answer, requestId);
    this.#stream.run().then(over, (error: unknown) => this.#broken(error, over));
  }

  /** The status is out already: there is nobody to tell but the log. */
  #broken(error: unknown, over: () => void): void {
    const { requestId } = this.#head;
    this.#host.log.error('an answer broke off', { route: this.#endpoint.name, request_id: requestId, error });
    over();
  }

  #fail(error: unknown): void {
    const known = error instanceof ProblemError ? error : this.#host.explain(error);
    if (known === null) {
      this.#host.log.error('request failed', { route: this.#endpoint.name, request_id: this.#head.requestId, error });
    }
    this.#finish(
      known === null ? problemAnswer('internal', this.#head.requestId) : answerOf(known, this.#head.requestId),
    );
  }

  #finish(answer: CoreAnswer): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#meter.observe(answer.status, performance.now() - this.#arrivedMs);
    if (!this.#aborted) {
      this.#answer = answer;
      corked = this;
      this.#response.cork(writeCorked);
      corked = null;
    }
    this.#host.over();
  }

  /** For {@link writeCorked} only. */
  write(): void {
    if (this.#answer === null) return;
    writeAnswer(this.#response, this.#answer, this.#head.requestId, {
      withoutBody: this.#head.method === 'HEAD',
      closes: this.#closes || this.#host.isDraining(),
    });
  }

  #abort(): void {
    if (this.#aborted || this.#state === 'done') return;
    this.#aborted = true;
    this.#meter.aborted();
    this.#stream?.gone();
    if (this.#state !== 'reading') return;
    this.#state = 'done';
    this.#host.over();
  }
}
