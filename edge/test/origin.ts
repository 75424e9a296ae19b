/**
 * A stand-in for core: an HTTP server that verifies signatures with core's own verifier, knows some API keys, answers
 * what the test says, and remembers what it believed. It can go away and come back on the same port.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  contextHeader,
  type EdgeContext,
  internalPaths,
  limits,
  type members,
  type merchants,
  problem,
  type revocations,
  type SigningKey,
  signatureHeader,
} from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
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
  readonly keys: Map<string, merchants.KeyGrantAsTold>;
  /** What is told of merchants, by their id. */
  readonly tenants: Map<string, merchants.TenantAsTold>;
  /** What is told of members, by merchant and subject with a space between. */
  readonly members: Map<string, members.MemberGrant>;
  readonly originsAsked: string[];
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
  const asked = { believed: [], disbelieved: [], lookUps: [], originsAsked: [] };
  const standIn = {
    ...asked,
    keys: new Map(),
    tenants: new Map(),
    members: new Map(),
    revoked: [],
  } as unknown as StandIn;
  standIn.generation = null;
  standIn.reply = () => ({ status: 201, body: '{"ok":true}' });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = await answer(standIn, verifier, request);
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    if (typeof reply.body === 'string') response.end(reply.body);
    else await pipeline(Readable.from(reply.body), response);
  };
  const [port = 0] = await freePorts(1);
  let server = await listen(port, handle);
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
    body,
    Date.now(),
  );
  if (typeof context === 'string') {
    standIn.disbelieved.push(context);
    return problemReply(401, 'signature_invalid');
  }
  const told = context.subject === 'edge' ? tellEdge(standIn, target) : null;
  if (told !== null) return told;
  const believed = { method, target, headers, body: body.toString(), context };
  standIn.believed.push(believed);
  return standIn.reply(believed);
}

/** What only the edge may ask; null: something else. */
function tellEdge(standIn: StandIn, target: string): Reply | null {
  if (target === internalPaths.generations) {
    const { generation } = standIn;
    return generation === null
      ? problemReply(404, 'not_found')
      : { status: 200, body: JSON.stringify({ catalog: generation }) };
  }
  if (target.startsWith(internalPaths.keys)) {
    const digest = target.slice(internalPaths.keys.length);
    standIn.lookUps.push(digest);
    const grant = standIn.keys.get(digest);
    return grant ? { status: 200, body: JSON.stringify(grant) } : problemReply(404, 'not_found');
  }
  if (target.startsWith(internalPaths.tenants)) {
    const tenant = standIn.tenants.get(target.slice(internalPaths.tenants.length));
    return tenant ? { status: 200, body: JSON.stringify(tenant) } : problemReply(404, 'not_found');
  }
  if (target.startsWith(internalPaths.members)) {
    const asked = new URLSearchParams(target.split('?')[1]);
    const member = standIn.members.get(`${asked.get('merchant_id')} ${asked.get('subject')}`);
    return member ? { status: 200, body: JSON.stringify(member) } : problemReply(404, 'not_found');
  }
  if (target.startsWith(internalPaths.origins)) {
    const origin = new URLSearchParams(target.split('?')[1]).get('origin') ?? '';
    standIn.originsAsked.push(origin);
    const isAllowed = [...standIn.tenants.values()].some(({ allowed_origins }) => allowed_origins?.includes(origin));
    return isAllowed ? { status: 200, body: '{}' } : problemReply(404, 'not_found');
  }
  if (target.startsWith(internalPaths.revocations)) {
    const data = standIn.revoked.slice(Number(new URLSearchParams(target.split('?')[1]).get('after')));
    return { status: 200, body: JSON.stringify({ data, next: standIn.revoked.length, is_last: true }) };
  }
  return null;
}

export function problemReply(status: number, code: 'signature_invalid' | 'not_found' | 'insufficient_funds'): Reply {
  const body = JSON.stringify(problem(code, '01890000-0000-7000-8000-000000000000'));
  return { status, body, headers: { 'content-type': 'application/problem+json' } };
}
