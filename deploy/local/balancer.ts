/**
 * One plain TCP address in front of several servers: round robin, and the next one when a server refuses the connection.
 * Knows nothing of what passes through. For the local stack only; in a cluster this is the Service.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { localHost } from './ports.ts';

export interface Balancer {
  readonly port: number;
  /** Resolves when it listens; rejects when the port is taken. */
  start(): Promise<void>;
  /** Ends every connection. */
  stop(): Promise<void>;
}

/** Connections at a time; one more is refused. */
const CONNECTIONS_MAX = 4_096;

/** A server that does not stand on the loopback. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** @param port 0: any free one @param targets a number is a port of the loopback */
export function createBalancer(port: number, targets: readonly (number | Target)[]): Balancer {
  const sockets = new Set<Socket>();
  let next = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    track(client);
    const first = next++;
    reach(client, first, targets.length);
  });
  server.maxConnections = CONNECTIONS_MAX;

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A reset is told to the other side by its own close.
    socket.on('error', () => socket.destroy());
  }

  function reach(client: Socket, turn: number, triesLeft: number): void {
    if (triesLeft === 0 || client.destroyed) {
      client.destroy();
      return;
    }
    const place = targets[turn % targets.length] ?? 0;
    const address = typeof place === 'number' ? { host: localHost, port: place } : place;
    const target = connect({ ...address, allowHalfOpen: true });
    target.setNoDelay(true);
    const refused = (): void => reach(client, turn + 1, triesLeft - 1);
    target.once('error', refused);
    target.once('connect', () => {
      target.off('error', refused);
      track(target);
      // It left while the server was being reached: its close has been told already.
      if (client.destroyed) {
        target.destroy();
        return;
      }
      client.pipe(target);
      target.pipe(client);
      client.on('close', () => target.destroy());
      target.on('close', () => client.destroy());
    });
  }

  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? port;
    },
    async start() {
      server.listen({ host: localHost, port, exclusive: true });
      await once(server, 'listening');
    },
    async stop() {
      if (!server.listening) return;
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
