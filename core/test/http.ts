/** The HTTP platform alone, with handlers that the test makes up; spoken to signed, or byte by byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { limits } from '../limits.ts';
import { createHttpServer, type Handlers, type HttpServer, type HttpServerOptions } from '../platform/http/index.ts';
import { createMetrics } from '../platform/telemetry/index.ts';
import { quiet } from './log.ts';
import { olderSigningKey, SignedClient, signingKey } from './stack.ts';

export interface TestServer {
  readonly client: SignedClient;
  readonly port: number;
  readonly server: HttpServer;
  /** One number of a scrape. */
  metric(line: string): Promise<number>;
}

export async function startServer(
  handlers: Handlers,
  options: Partial<Omit<HttpServerOptions, 'handlers'>> = {},
): Promise<TestServer> {
  const metrics = createMetrics();
  const server = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    signingKeys: olderSigningKey === undefined ? [signingKey] : [signingKey, olderSigningKey],
    handlers,
    findKeyGrant: null,
    listRevocations: null,
    readGenerations: null,
    explain: () => null,
    readiness: () => ({ ok: true, reasons: [], parts: {} }),
    openapi: '{}',
    log: quiet,
    metrics,
    limits,
    ...options,
  });
  const port = await server.listen();
  return {
    client: new SignedClient(port),
    port,
    server,
    async metric(line) {
      const found = (await metrics.render()).split('\n').find((each) => each.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1) ?? 0);
    },
  };
}

/** A connection of bytes. */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
    });
    // A reset is an answer, too; what counts is that it is over.
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  async open(): Promise<this> {
    if (this.socket.connecting) await once(this.socket, 'connect');
    return this;
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** The status codes of the answers so far. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  }
}
