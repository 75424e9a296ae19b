/**
 * An HTTP server of Node in front of an edge. Bounded in everything a client could make large or slow (limits.ts); it
 * stops by finishing what it has begun.
 *
 * N1  Every request that is parsed gets exactly one answer, unless its client leaves.
 * N2  What the parser refuses reaches nobody, and its connection ends: after bytes that two readers could read
 *     differently nothing on it can be trusted.
 * N3  An answer to bytes that were refused never stands where another request's answer belongs.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Edge, Trouble } from '../index.ts';
import { clientAddressOf, metricsMediaType, metricsPath, type ProcessConfig } from '../src/process-config.ts';
import { type NodeBounds, nodeLimits } from './limits.ts';
import { refuseConnection, refuseExpectation, refuseHosts } from './refusals.ts';
import { edgeRequestOf, send } from './wire.ts';

export interface EdgeServerOptions {
  readonly edge: Edge;
  readonly config: ProcessConfig;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly report: (trouble: Trouble, cause?: unknown) => void;
  readonly nowMs: () => number;
  /** For tests. */
  readonly bounds?: Partial<NodeBounds>;
}

export interface EdgeServer {
  readonly port: number;
  /** Takes no more, finishes what is under way within `stopMs`, and the work behind it. */
  stop(): Promise<void>;
}

export async function serveEdge(options: EdgeServerOptions): Promise<EdgeServer> {
  const { report, nowMs } = options;
  const bounds: NodeBounds = { ...nodeLimits, ...options.bounds };
  const behind = new Set<Promise<unknown>>();
  /** The request that a connection is busy with. */
  const current = new WeakMap<Duplex, { incoming: IncomingMessage; outgoing: ServerResponse }>();
  const server = createServer({
    maxHeaderSize: bounds.headerBytesMax,
    headersTimeout: bounds.headersMs,
    requestTimeout: bounds.requestMs,
    connectionsCheckingInterval: bounds.checkEveryMs,
    keepAliveTimeout: bounds.keepAliveMs,
    requireHostHeader: false,
  });
  server.timeout = bounds.idleMs;
  server.maxConnections = bounds.connectionsMax;
  // Node would drop the headers past a count without a word; their bytes are bounded.
  server.maxHeadersCount = 0;
  let isStopping = false;

  server.on('request', (incoming, outgoing) => {
    current.set(incoming.socket, { incoming, outgoing });
    if (isStopping) outgoing.shouldKeepAlive = false;
    if (refuseHosts(incoming, outgoing, nowMs())) return;
    answer(options, behind, incoming, outgoing).catch((cause: unknown) => {
      // A client that leaves is no trouble; an answer that breaks off is the origin's.
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') report('origin_away', cause);
      outgoing.destroy();
    });
  });
  server.on('checkExpectation', (incoming, outgoing) => {
    current.set(incoming.socket, { incoming, outgoing });
    refuseExpectation(outgoing, nowMs());
  });
  server.on('clientError', (cause, socket) => {
    const busy = current.get(socket);
    const isFree = busy === undefined || busy.outgoing.writableFinished;
    const isItsOwn = busy !== undefined && !busy.incoming.complete && !busy.outgoing.headersSent;
    if (isFree || isItsOwn) refuseConnection(cause, socket, nowMs());
    else socket.destroy();
  });

  await listen(server, options.host, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      isStopping = true;
      const timer = setTimeout(() => server.closeAllConnections(), bounds.stopMs);
      const closed = once(server, 'close');
      server.close();
      await closed;
      clearTimeout(timer);
      // Bounded by itself: what runs behind an answer is a call to the origin, and those have an end.
      await Promise.allSettled([...behind]);
    },
  };
}

async function answer(
  { edge, config, report }: EdgeServerOptions,
  behind: Set<Promise<unknown>>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = edgeRequestOf(incoming);
  const response = await edge(request, {
    clientAddress: clientAddressOf(config, request.headers, incoming.socket.remoteAddress ?? null),
    target: incoming.url ?? '/',
    waitUntil(work) {
      const settled = work.catch((cause: unknown) => report('bug', cause)).finally(() => behind.delete(settled));
      behind.add(settled);
    },
  });
  await send(response, incoming, outgoing);
}

/** `GET /metrics` on the loopback interface, and nothing else. */
export async function serveMetrics(port: number, write: () => string): Promise<Server> {
  const server = createServer({ maxHeaderSize: nodeLimits.headerBytesMax }, (incoming, outgoing) => {
    if (incoming.method !== 'GET' || incoming.url !== metricsPath) outgoing.writeHead(404).end();
    else outgoing.writeHead(200, { 'content-type': metricsMediaType }).end(write());
  });
  await listen(server, '127.0.0.1', port);
  return server;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}
