/**
 * ③ One request, from its first byte to its answer.
 *
 *     reading → handling → done          aborted, at any point: nothing is touched any more
 *
 * - X1 everything of the native request is read before the native handler returns (U1).
 * - X2 after an abort the response is never touched (U2). A handler that runs goes on: what it does may be durable.
 * - X3 the server is told exactly once that the exchange is over: at its answer, at an abort while reading, or when
 *   the handler of an aborted request comes to its end. So the bound on requests is a bound on work.
 * - X4 core never trusts the edge's validation: signature, scope, key, JSON and shape are checked here, in this order.
 *
 * Must not know: what a route does.
 */
import { hash } from 'node:crypto';
import {
  contextHeader,
  type EdgeContext,
  emptyBodySha256,
  type IdempotencyKey,
  isUuid,
  limits,
  type ProblemCode,
  parseIdempotencyKey,
  type RequestId,
  readJson,
  requestIdHeader,
  signatureHeader,
  uuidV7,
  validate,
  validateQuery,
} from '@local-plus/contracts';
import type { Log } from '../telemetry/index.ts';
import { answerOf, problemAnswer, writeAnswer } from './answers.ts';
import type { Endpoint } from './endpoints.ts';
import { type CoreAnswer, type ProblemDetails, ProblemError } from './handler.ts';
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
}

type Parsed<Value> = { readonly value: Value } | { readonly code: ProblemCode; readonly details: ProblemDetails };

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const noBytes = new Uint8Array();
const noValue = { value: null } as const;

/** `cork` runs its argument before it returns: one function for all answers, in place of one each. */
let corked: Exchange | null = null;
const writeCorked = (): void => corked?.write();

export class Exchange {
  readonly #host: ExchangeHost;
  readonly #endpoint: Endpoint;
  readonly #meter: RouteMeter;
  readonly #response: NativeResponse;
  readonly #method: string;
  readonly #arrivedMs = performance.now();

  #state: 'reading' | 'handling' | 'done' = 'reading';
  #aborted = false;
  #closes = false;
  #answer: CoreAnswer | null = null;
  /** What arrived so far, when the body comes in more than one piece. */
  #body: Buffer | null = null;
  #bodyBytes = 0;

  #requestId = '' as RequestId;
  #target = '';
  #query = '';
  #params: readonly string[] = [];
  #contextText = '';
  #signature = '';
  #idempotencyText = '';
  #contentType = '';
  #contentBytes: number | null = null;
  #traceparent: string | null = null;

  constructor(host: ExchangeHost, endpoint: Endpoint, meter: RouteMeter, response: NativeResponse, method: string) {
    this.#host = host;
    this.#endpoint = endpoint;
    this.#meter = meter;
    this.#response = response;
    this.#method = method;
  }

  /** Call it once, inside the native handler. */
  begin(request: NativeRequest): void {
    this.#response.onAborted(() => this.#abort());
    this.#readHead(request);
    const refusal = this.#framingRefusal(request);
    if (refusal !== null) this.#refuse(refusal);
    else if (this.#endpoint.method === 'GET') this.#decide(noBytes);
    else this.#response.onData((chunk, isLast) => this.#receive(chunk, isLast));
  }

  /** Refuses at once, unread. */
  refuse(request: NativeRequest, code: ProblemCode, details?: ProblemDetails): void {
    this.#response.onAborted(() => this.#abort());
    this.#readHead(request);
    this.#refuse(code, details);
  }

  #readHead(request: NativeRequest): void {
    const url = request.getUrl();
    const query = request.getQuery();
    this.#query = query ?? '';
    this.#target = query === undefined ? url : `${url}?${query}`;
    const requestId = request.getHeader(requestIdHeader);
    this.#requestId = isUuid(requestId) ? (requestId as RequestId) : uuidV7(Date.now());
    this.#contextText = request.getHeader(contextHeader);
    this.#signature = request.getHeader(signatureHeader);
    const traceparent = request.getHeader('traceparent');
    this.#traceparent = TRACEPARENT.test(traceparent) ? traceparent : null;
    const length = request.getHeader('content-length');
    this.#contentBytes = length === '' ? null : Number(length);
    if (this.#endpoint.method === 'POST') {
      this.#idempotencyText = request.getHeader('idempotency-key');
      this.#contentType = request.getHeader('content-type');
    }
    const { paramCount } = this.#endpoint;
    if (paramCount === 1) this.#params = [request.getParameter(0) ?? ''];
    else if (paramCount > 1) {
      this.#params = Array.from({ length: paramCount }, (_, index) => request.getParameter(index) ?? '');
    }
  }

  /** What is wrong with the message as such, before any of its body is read. */
  #framingRefusal(request: NativeRequest): ProblemCode | null {
    if (this.#target.length > limits.targetBytesMax) return 'uri_too_long';
    const coding = this.#contentBytes === null ? request.getHeader('transfer-encoding') : '';
    if (coding !== '' && coding.toLowerCase() !== 'chunked') return this.#closing('invalid_request');
    const hasBody = coding !== '' || (this.#contentBytes ?? 0) > 0;
    if (this.#endpoint.method === 'GET') return hasBody ? this.#closing('invalid_request') : null;
    if ((this.#contentBytes ?? 0) > limits.bodyBytesMax) return this.#closing('payload_too_large');
    if (this.#endpoint.body !== null && !JSON_MEDIA_TYPE.test(this.#contentType)) return 'unsupported_media_type';
    return null;
  }

  /** For what leaves the rest of the connection in doubt, or would have to be read to be skipped. */
  #closing(code: ProblemCode): ProblemCode {
    this.#closes = true;
    return code;
  }

  #receive(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#state !== 'reading') return;
    const total = this.#bodyBytes + chunk.byteLength;
    if (total > limits.bodyBytesMax) {
      this.#refuse(this.#closing('payload_too_large'));
      return;
    }
    if (isLast && this.#bodyBytes === 0) {
      this.#decide(new Uint8Array(chunk));
      return;
    }
    this.#body ??= Buffer.allocUnsafeSlow(this.#contentBytes ?? limits.bodyBytesMax);
    this.#body.set(new Uint8Array(chunk), this.#bodyBytes);
    this.#bodyBytes = total;
    if (isLast) this.#decide(this.#body.subarray(0, total));
  }

  #decide(bytes: Uint8Array): void {
    this.#state = 'handling';
    const bodySha256 = bytes.length === 0 ? emptyBodySha256 : hash('sha256', bytes, 'hex');
    const nowMs = Date.now();
    const context = this.#host.verifier.verify(
      this.#contextText,
      this.#signature,
      this.#method,
      this.#target,
      this.#idempotencyText,
      bodySha256,
      nowMs,
    );
    if (typeof context === 'string') {
      this.#host.disbelieved(context);
      this.#refuse(context === 'full' ? 'overloaded' : 'signature_invalid');
      return;
    }
    if (!this.#endpoint.allows(context)) {
      this.#refuse('forbidden');
      return;
    }
    const key = this.#parseKey();
    if ('code' in key) return this.#refuse(key.code, key.details);
    const body = this.#parseBody(bytes);
    if ('code' in body) return this.#refuse(body.code, body.details);
    const query = this.#parseQuery();
    if ('code' in query) return this.#refuse(query.code, query.details);
    this.#handle(context, key.value, body.value, query.value, bodySha256);
  }

  #parseKey(): Parsed<IdempotencyKey | null> {
    if (!this.#endpoint.idempotent) return noValue;
    if (this.#idempotencyText === '') return { code: 'idempotency_key_missing', details: {} };
    const value = parseIdempotencyKey(this.#idempotencyText);
    return value === null ? { code: 'idempotency_key_invalid', details: {} } : { value };
  }

  #parseBody(bytes: Uint8Array): Parsed<unknown> {
    const schema = this.#endpoint.body;
    if (schema === null) {
      if (bytes.length === 0) return noValue;
      return { code: 'invalid_request', details: { detail: 'This request takes no body.' } };
    }
    const reading = readJson(bytes);
    if (!reading.ok) return { code: 'invalid_json', details: { errors: [reading.error] } };
    const validation = validate(schema, reading.value);
    return validation.ok ? validation : { code: 'invalid_request', details: { errors: validation.errors } };
  }

  #parseQuery(): Parsed<unknown> {
    if (this.#query === '') return { value: this.#endpoint.emptyQuery };
    const validation = validateQuery(this.#endpoint.query, this.#query);
    if (!validation.ok) return { code: 'invalid_request', details: { errors: validation.errors } };
    return this.#endpoint.query === null ? noValue : validation;
  }

  #handle(
    context: EdgeContext,
    idempotencyKey: IdempotencyKey | null,
    body: unknown,
    queryValues: unknown,
    bodySha256: string,
  ): void {
    const deadlineMs = this.#arrivedMs + Math.min(context.budgetMs, limits.requestBudgetMs);
    if (performance.now() >= deadlineMs) {
      this.#refuse('deadline_exceeded');
      return;
    }
    let answer: CoreAnswer | Promise<CoreAnswer>;
    try {
      answer = this.#endpoint.handle({
        routeId: this.#endpoint.routeId,
        params: this.#params,
        query: this.#query,
        queryValues,
        body,
        bodySha256,
        context,
        idempotencyKey,
        requestId: this.#requestId,
        traceparent: this.#traceparent,
        deadlineMs,
      });
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (settled) => this.#finish(settled),
        (error: unknown) => this.#fail(error),
      );
    } else {
      this.#finish(answer);
    }
  }

  #fail(error: unknown): void {
    const known = error instanceof ProblemError ? error : this.#host.explain(error);
    if (known === null) {
      this.#host.log.error('request failed', { route: this.#endpoint.name, request_id: this.#requestId, error });
    }
    this.#finish(known === null ? problemAnswer('internal', this.#requestId) : answerOf(known, this.#requestId));
  }

  #refuse(code: ProblemCode, details?: ProblemDetails): void {
    this.#finish(problemAnswer(code, this.#requestId, details));
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
    writeAnswer(this.#response, this.#answer, this.#requestId, {
      withoutBody: this.#method === 'HEAD',
      closes: this.#closes || this.#host.isDraining(),
    });
  }

  #abort(): void {
    if (this.#aborted || this.#state === 'done') return;
    this.#aborted = true;
    this.#meter.aborted();
    if (this.#state !== 'reading') return;
    this.#state = 'done';
    this.#host.over();
  }
}
