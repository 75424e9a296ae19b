/**
 * What the Node adapter refuses by itself, before there is a request for the edge: as problem documents, like all else.
 *
 * RFC 9112 §3.2 (exactly one Host), RFC 9110 §10.1.1 (Expect), §15.5.9 (408), RFC 6585 §5 (431).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ProblemCode, problem, problemMediaType, uuidV7 } from '@local-plus/contracts';
import { securityHeaders } from '../src/security-headers.ts';

const codes: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What `clientError` says of a connection: the parser refused, or time ran out. */
export function refuseConnection(cause: NodeJS.ErrnoException, socket: Duplex, nowMs: number): void {
  if (!socket.writable || cause.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, headers, body } = document(codes[cause.code ?? ''] ?? 'invalid_request', nowMs);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} \r\n${lines.join('')}\r\n${body}`);
}

/** `true` when the request was refused: it has not exactly one Host. */
export function refuseHosts(incoming: IncomingMessage, outgoing: ServerResponse, nowMs: number): boolean {
  const hosts = incoming.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length === 1) return false;
  const { status, headers, body } = document('invalid_request', nowMs, 'A request names exactly one Host.');
  outgoing.writeHead(status, { ...headers, connection: 'close' }).end(body);
  return true;
}

/** An `Expect` that nobody knows how to meet (RFC 9110 §10.1.1); Node itself would answer it without a document. */
export function refuseExpectation(outgoing: ServerResponse, nowMs: number): void {
  const detail = 'Nothing may be expected but 100-continue.';
  const { status, headers, body } = document('invalid_request', nowMs, detail);
  outgoing.writeHead(status, { ...headers, connection: 'close' }).end(body);
}

function document(code: ProblemCode, nowMs: number, detail?: string) {
  const told = problem(code, uuidV7(nowMs), detail);
  const body = JSON.stringify(told);
  const headers = {
    ...securityHeaders,
    'content-type': problemMediaType,
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': told.request_id,
  };
  return { status: told.status, headers, body };
}
