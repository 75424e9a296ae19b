/**
 * How an answer goes out: status line, headers, body, in one write. Problem documents are made here and nowhere else.
 *
 * - A1 every answer carries x-request-id; 429 and 503 carry Retry-After.
 * - A2 no text of an exception leaves the process.
 * - A3 what anybody can ask for without a signature is kept at most once for who does not read it (U5).
 */
import { STATUS_CODES } from 'node:http';
import { type ProblemCode, problem, problemMediaType, problemTable, requestIdHeader } from '@local-plus/contracts';
import type { CoreAnswer, ProblemDetails, ProblemError } from './handler.ts';
import type { NativeResponse } from './uws.ts';

const RETRY_AFTER_S_DEFAULT = 1;
const noHeaders: Readonly<Record<string, string>> = {};
const statusLines = new Map<number, string>();
for (const [status, phrase] of Object.entries(STATUS_CODES)) statusLines.set(Number(status), `${status} ${phrase}`);

/** The problem document of a code as an answer, with the headers that the code calls for. */
export function problemAnswer(code: ProblemCode, requestId: string, details: ProblemDetails = {}): CoreAnswer {
  const { status } = problemTable[code];
  const waits = status === 429 || status === 503;
  const retry = waits || details.retryAfterS !== undefined;
  return {
    status,
    body: JSON.stringify(problem(code, requestId, details.detail, details.errors)),
    headers: {
      ...details.headers,
      ...(retry ? { 'retry-after': String(details.retryAfterS ?? RETRY_AFTER_S_DEFAULT) } : {}),
    },
  };
}

export function answerOf(error: ProblemError, requestId: string): CoreAnswer {
  return problemAnswer(error.code, requestId, error);
}

export interface Manner {
  /** HEAD: the headers of GET, no body. */
  readonly withoutBody: boolean;
  /** Ends the connection after this answer. */
  readonly closes: boolean;
}

/**
 * Writes all of an answer; nobody else may touch the response afterwards. Call it inside `cork`.
 *
 * uWebSockets.js adds Date and Content-Length.
 */
export function writeAnswer(response: NativeResponse, answer: CoreAnswer, requestId: string, manner: Manner): void {
  const { status, body, headers = noHeaders } = answer;
  response.writeStatus(statusLines.get(status) ?? String(status));
  response.writeHeader('content-type', status < 400 ? 'application/json' : problemMediaType);
  response.writeHeader(requestIdHeader, requestId);
  for (const name in headers) response.writeHeader(name, headers[name] as string);
  // A3: a refusal may be anybody's.
  if (manner.withoutBody) response.endWithoutBody(Buffer.byteLength(body), manner.closes || status >= 400);
  else if (manner.closes || status < 400) response.end(body, manner.closes);
  else endAsTaken(response, body);
}

/** A3. Ends the response as the client takes it. There has to be an abort handler. */
export function endAsTaken(response: NativeResponse, body: string): void {
  const totalBytes = Buffer.byteLength(body);
  const [, isTaken] = response.tryEnd(body, totalBytes);
  if (isTaken) return;
  const bytes = Buffer.from(body);
  response.onWritable((offset) => response.tryEnd(bytes.subarray(offset), totalBytes)[0]);
}
