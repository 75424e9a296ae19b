/**
 * One request of `node:http` as the edge wants it, and the edge's answer back on the connection.
 *
 * - Headers come from `rawHeaders`: Node's own object keeps the first of two `Authorization`s and forgets the second.
 * - The target is what stood on the wire; no URL parser has touched it.
 * - A body is read as the edge asks for it (pull), an answer is read as the client takes it (pipeline).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EdgeRequest } from '../index.ts';
import { nodeLimits } from './limits.ts';

export function edgeRequestOf(incoming: IncomingMessage): EdgeRequest {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  }
  const { method = '', url = '/' } = incoming;
  const hasBody = method !== 'GET' && method !== 'HEAD' && declaresBody(headers);
  return { method, url: `http://edge${url}`, headers, body: hasBody ? bodyOf(incoming) : null };
}

/** RFC 9112 §6: a request has a body when one of the two says so. */
function declaresBody(headers: Headers): boolean {
  return headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0';
}

/** Cancelling it leaves the connection alone: the answer has yet to go through there. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = incoming.iterator({ destroyOnReturn: false });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Rejects when the client leaves before the end, or the answer breaks off; the connection is then gone, too. */
export async function send(answer: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) outgoing.end();
  else await pipeline(Readable.fromWeb(answer.body), outgoing);
  if (!incoming.complete) dropRest(incoming);
}

/** Closing on a client that still sends would reset the connection, and take the answer from it. */
function dropRest(incoming: IncomingMessage): void {
  incoming.on('error', () => incoming.socket.destroy());
  incoming.resume();
  const timer = setTimeout(() => {
    if (!incoming.complete) incoming.socket.destroy();
  }, nodeLimits.lingerMs);
  incoming.once('close', () => clearTimeout(timer));
}
