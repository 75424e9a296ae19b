/**
 * Everything that is wanted of a native request, read while it is there (U1), and what is wrong with the message as
 * such before any of its body is read.
 *
 * Must not know: what becomes of it.
 */
import {
  contextHeader,
  isUuid,
  limits,
  type ProblemCode,
  type RequestId,
  requestIdHeader,
  signatureHeader,
  uuidV7,
} from '@local-plus/contracts';
import type { Endpoint } from './endpoints.ts';
import type { NativeRequest } from './uws.ts';

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const noParams: readonly string[] = [];

export interface FramingRefusal {
  readonly code: ProblemCode;
  /** Where the message ends is in doubt, or what is left of it would have to be read to be skipped. */
  readonly closes: boolean;
  readonly detail?: string;
}

export class RequestHead {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  /** Without the question mark. */
  readonly query: string;
  readonly params: readonly string[];
  readonly requestId: RequestId;
  readonly traceparent: string | null;
  readonly contextText: string;
  readonly signature: string;
  /** Empty when absent, and for routes that do not ask. */
  readonly idempotencyText: string;
  readonly contentType: string;
  /** null: not told. */
  readonly contentBytes: number | null;
  /** Empty when absent, or when a length is told (uWebSockets.js refuses both). */
  readonly transferCoding: string;

  constructor(request: NativeRequest, endpoint: Endpoint, method: string) {
    const url = request.getUrl();
    const query = request.getQuery();
    this.method = method;
    this.query = query ?? '';
    this.target = query === undefined ? url : `${url}?${query}`;
    this.params = paramsOf(request, endpoint.paramCount);
    const requestId = request.getHeader(requestIdHeader);
    this.requestId = isUuid(requestId) ? (requestId as RequestId) : uuidV7(Date.now());
    const traceparent = request.getHeader('traceparent');
    this.traceparent = TRACEPARENT.test(traceparent) ? traceparent : null;
    this.contextText = request.getHeader(contextHeader);
    this.signature = request.getHeader(signatureHeader);
    const length = request.getHeader('content-length');
    this.contentBytes = length === '' ? null : Number(length);
    this.transferCoding = length === '' ? request.getHeader('transfer-encoding') : '';
    const isPost = endpoint.method === 'POST';
    this.idempotencyText = isPost ? request.getHeader('idempotency-key') : '';
    this.contentType = isPost ? request.getHeader('content-type') : '';
  }

  /** null: the message may be read. */
  refusal(endpoint: Endpoint): FramingRefusal | null {
    const { contentBytes, transferCoding } = this;
    if (this.target.length > limits.targetBytesMax) return { code: 'uri_too_long', closes: false };
    // Chunks are the only coding there is here; the library would take any for chunks.
    if (transferCoding !== '' && transferCoding.toLowerCase() !== 'chunked') {
      return { code: 'invalid_request', closes: true };
    }
    if (endpoint.method === 'GET') {
      const hasBody = transferCoding !== '' || (contentBytes ?? 0) > 0;
      return hasBody ? { code: 'invalid_request', closes: true } : null;
    }
    if ((contentBytes ?? 0) > endpoint.rules.bytesMax) return { code: 'payload_too_large', closes: true };
    if (endpoint.body !== null && !endpoint.rules.accepts.test(this.contentType)) {
      const detail = `The body must be ${endpoint.rules.mediaType}.`;
      return { code: 'unsupported_media_type', closes: false, detail };
    }
    return null;
  }
}

function paramsOf(request: NativeRequest, count: number): readonly string[] {
  if (count === 0) return noParams;
  if (count === 1) return [request.getParameter(0) ?? ''];
  return Array.from({ length: count }, (_, index) => request.getParameter(index) ?? '');
}
