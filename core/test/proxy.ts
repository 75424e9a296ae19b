/**
 * A TCP proxy in front of a server, that hurts: it can lose replies, cut the client off while the server goes on, and
 * fall silent without a reset.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class FaultProxy {
  readonly #pairs = new Set<Pair>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  readonly #target: { readonly host: string; readonly port: number };
  /** The next bytes from the server are lost, and the client's connection with them. */
  #repliesToLose = 0;
  #isSilent = false;
  repliesLost = 0;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  /** Resolves to the port that it listens on. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Of the next `count` replies nothing arrives: the server has sent them, the client's connection dies. */
  loseReplies(count: number): void {
    this.#repliesToLose += count;
  }

  /** The clients' connections die; what they sent is still with the server, which goes on with it: ghosts. */
  cutClients(): void {
    for (const { client } of this.#pairs) client.destroy();
  }

  /** A black hole: connections stay, and nothing passes either way until {@link speak}. What was sent meanwhile is lost. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  speak(): void {
    this.#isSilent = false;
    for (const pair of this.#pairs) destroy(pair);
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) destroy(pair);
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const pair: Pair = { client, server: connect(this.#target) };
    this.#pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true);
      // A reset is what this is for: the other side is told by its own close.
      socket.on('error', () => undefined);
    }
    client.on('data', (bytes) => {
      if (!this.#isSilent) pair.server.write(bytes);
    });
    pair.server.on('data', (bytes) => this.#reply(pair, bytes));
    // The server's side stays open when the client's dies: its statement goes on.
    client.on('close', () => {
      if (pair.server.closed) this.#pairs.delete(pair);
    });
    pair.server.on('close', () => {
      client.destroy();
      this.#pairs.delete(pair);
    });
  }

  #reply({ client }: Pair, bytes: Buffer): void {
    if (this.#isSilent || client.destroyed) return;
    if (this.#repliesToLose > 0) {
      this.#repliesToLose--;
      this.repliesLost++;
      client.destroy();
      return;
    }
    client.write(bytes);
  }
}

function destroy({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}
