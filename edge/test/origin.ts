/**
 * A stand-in for core: an HTTP server that verifies signatures with core's own verifier, knows some API keys, answers
 * what the test says, and remembers what it believed. It can go away and come back on the same port.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  contextHeader,
  type EdgeContext,
  internalPaths,
  limits,
  type merchants,
  problem,
  type revocations,
  type SigningKey,
  signatureHeader,
} from '@local-plus/contracts';
import { SignatureVerifier } from '../../core/platform/http/verifier.ts';

export const signingKey: SigningKey = { keyId: 'k1', secret: new Uint8Array(32).fill(7) };
export const signingKeys = `k1:${Buffer.from(signingKey.secret).toString('base64url')}`;

export interface Believed {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly context: EdgeContext;
}

export interface Reply {
  readonly status: number;
  /** Pieces go one by one. */
  readonly body: string | AsyncIterable<string>;
  readonly headers?: Record<string, string>;
}

export interface StandIn {
  readonly url: string;
  /** Requests with a valid signature, look-ups of keys apart. */
  readonly believed: Believed[];
  /** Why others were not believed. */
  readonly disbelieved: string[];
  readonly lookUps: string[];
  readonly keys: Map<string, merchants.KeyGrant>;
  /** What is told of revocations; the place is the index. */
  readonly revoked: revocations.ListPage['data'];
  /** Of the catalog; null: none is known. */
  generation: string | null;
  /** The default is 201 `{"ok":true}`. */
  reply: (request: Believed) => Reply | Promise<Reply>;
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

export async function startStandIn(): Promise<StandIn> {
  const verifier = new SignatureVerifier([signingKey], {
    windowMs: limits.signatureWindowMs,
    groupMs: 1_000,
    noncesMax: 100_000,
  });
  const standIn = { believed: [], disbelieved: [], lookUps: [], keys: new Map(), revoked: [] } as unknown as StandIn;
  standIn.generation = null;
  standIn.reply = () => ({ status: 201, body: '{"ok":true}' });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = await answer(standIn, verifier, request);
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    if (typeof reply.body === 'string') response.end(reply.body);
    else await pipeline(Readable.from(reply.body), response);
  };
  let server = await listen(0, handle);
  const { port } = server.address() as AddressInfo;
  return Object.assign(standIn, {
    url: `http://127.0.0.1:${port}`,
    async goAway() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
    async comeBack() {
      server = await listen(port, handle);
    },
  });
}

async function listen(
  port: number,
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  const server = createServer((request, response) => {
    handle(request, response).catch((cause: unknown) => response.destroy(cause as Error));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function answer(standIn: StandIn, verifier: SignatureVerifier, request: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const { method = '', url: target = '' } = request;
  const context = verifier.verify(
    headers[contextHeader] ?? '',
    headers[signatureHeader] ?? '',
    method,
    target,
    headers['idempotency-key'] ?? '',
    createHash('sha256').update(body).digest('hex'),
    Date.now(),
  );
  if (typeof context === 'string') {
    standIn.disbelieved.push(context);
    return problemReply(401, 'signature_invalid');
  }
  if (target === internalPaths.generations && context.subject === 'edge') {
    const { generation } = standIn;
    return generation === null
      ? problemReply(404, 'not_found')
      : { status: 200, body: JSON.stringify({ catalog: generation }) };
  }
  if (target.startsWith(internalPaths.keys) && context.subject === 'edge') {
    const digest = target.slice(internalPaths.keys.length);
    standIn.lookUps.push(digest);
    const grant = standIn.keys.get(digest);
    return grant ? { status: 200, body: JSON.stringify(grant) } : problemReply(404, 'not_found');
  }
  if (target.startsWith(internalPaths.revocations) && context.subject === 'edge') {
    const data = standIn.revoked.slice(Number(new URLSearchParams(target.split('?')[1]).get('after')));
    return { status: 200, body: JSON.stringify({ data, next: standIn.revoked.length, is_last: true }) };
  }
  const believed = { method, target, headers, body: body.toString(), context };
  standIn.believed.push(believed);
  return standIn.reply(believed);
}

export function problemReply(status: number, code: 'signature_invalid' | 'not_found' | 'insufficient_funds'): Reply {
  const body = JSON.stringify(problem(code, '01890000-0000-7000-8000-000000000000'));
  return { status, body, headers: { 'content-type': 'application/problem+json' } };
}
