/**
 * A TCP proxy in front of one server, whose manner can be changed while it runs. It knows bytes only.
 *
 * - `pass`: as if it were not there.
 * - `hold`: nothing passes, and nobody is told: a black hole. What was sent arrives when it is over.
 * - `hold-replies`: what clients send arrives, what the server answers does not: half open.
 * - `delay`: each piece is that much later, one after the other.
 * - `throttle`: so many bytes a second, each way of each connection.
 * - `cut`: a connection is reset after so many bytes of that way; the server keeps what it has received.
 *
 * Unlike the one of core's tests, which loses one reply exactly, this one stands in every link of a whole stack.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Way = 'requests' | 'replies';

export type Manner =
  | { readonly kind: 'pass' | 'hold' | 'hold-replies' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'throttle'; readonly bytesPerS: number }
  | { readonly kind: 'cut'; readonly way: Way; readonly afterBytes: number };

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Since the manner was changed. */
  readonly bytes: Record<Way, number>;
}

const LOOPBACK = '127.0.0.1';

export interface ProxyPlace {
  /** Where it listens, and speaks from unless the server is on the loopback; the loopback when absent. */
  readonly host?: string | undefined;
  /** Where the server is; the loopback when absent. */
  readonly targetHost?: string | undefined;
}

export class LinkProxy {
  readonly #target: { readonly host: string; readonly port: number; readonly localAddress?: string };
  readonly #host: string;
  readonly #pairs = new Set<Pair>();
  readonly #listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  #manner: Manner = { kind: 'pass' };
  #changed = Promise.withResolvers<void>();

  /** @param target the port of the server */
  constructor(target: number, { host = LOOPBACK, targetHost = LOOPBACK }: ProxyPlace = {}) {
    this.#host = host;
    const spokenFrom = targetHost === LOOPBACK ? {} : { localAddress: host };
    this.#target = { host: targetHost, port: target, ...spokenFrom };
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** @param port any free one when absent */
  async listen(port = 0): Promise<void> {
    this.#listener.listen({ host: this.#host, port, exclusive: true });
    await once(this.#listener, 'listening');
  }

  set(manner: Manner): void {
    this.#manner = manner;
    for (const pair of this.#pairs) Object.assign(pair.bytes, { requests: 0, replies: 0 });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Both sides of every connection are told by a reset. */
  reset(): void {
    for (const pair of this.#pairs) {
      pair.client.resetAndDestroy();
      pair.server.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    if (!this.#listener.listening) return;
    this.#listener.close();
    this.set({ kind: 'pass' });
    this.reset();
    await once(this.#listener, 'close');
  }

  #accept(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pair: Pair = { client, server, bytes: { requests: 0, replies: 0 } };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      // A reset is what this is for: the other side is told by its own.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
      });
    }
    void this.#carry(pair, 'requests', client, server);
    void this.#carry(pair, 'replies', server, client);
  }

  /** Never rejects. */
  async #carry(pair: Pair, way: Way, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const piece of from) {
        await this.#pass(pair, way, piece as Buffer, to);
        if (to.destroyed) break;
      }
      await this.#released(way);
      to.end();
    } catch {
      // It broke on one side: the other one is told. Whatever has arrived at the server by then, it goes on with.
      to.destroy();
      from.destroy();
    }
  }

  async #pass(pair: Pair, way: Way, piece: Buffer, to: Socket): Promise<void> {
    await this.#released(way);
    const manner = this.#manner;
    if (manner.kind === 'delay') await delay(manner.ms);
    if (manner.kind === 'throttle') await delay((piece.length / manner.bytesPerS) * 1_000);
    let passing = piece;
    if (manner.kind === 'cut' && manner.way === way) {
      passing = piece.subarray(0, Math.max(0, manner.afterBytes - pair.bytes[way]));
    }
    pair.bytes[way] += piece.length;
    if (passing.length > 0 && !to.destroyed && !to.write(passing)) await drained(to);
    if (passing.length === piece.length) return;
    pair.client.resetAndDestroy();
    pair.server.end();
  }

  async #released(way: Way): Promise<void> {
    while (this.#manner.kind === 'hold' || (this.#manner.kind === 'hold-replies' && way === 'replies')) {
      await this.#changed.promise;
    }
  }
}

async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
