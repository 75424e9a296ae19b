/** Connections that are reset while statements are sent through them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

const CALLERS = 6;
const RESETS = 30;
const TURNS = 12;

/** Between the callers and Postgres: resets every connection that there is. */
export class Resetter {
  readonly #clients = new Set<Socket>();
  readonly #server: Server;

  /** @param url of a database */
  constructor(url: string) {
    const target = { host: new URL(url).hostname, port: Number(new URL(url).port) };
    this.#server = createServer({ noDelay: true }, (client) => {
      this.#clients.add(client);
      const server = connect({ ...target, noDelay: true });
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
      client.on('close', () => this.#clients.delete(client));
    });
  }

  /** @returns the same database, through here */
  async listen(url: string): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const through = new URL(url);
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.href;
  }

  reset(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** True: it was answered; false: the connection was lost. Rejects where the answer is another one's, or none. */
export type Ask = (said: string) => Promise<boolean>;

/** Callers ask one thing after another while connections are reset. */
export async function whileBusy(resetter: Resetter, ask: Ask): Promise<void> {
  let isOver = false;
  let next = Promise.withResolvers<void>();
  const caller = async (name: number): Promise<void> => {
    for (let number = 0; !isOver; number++) {
      if (await ask(`${name}.${number}`)) next.resolve();
      else await turn();
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name)));
  for (let resets = 0; resets < RESETS; resets++) {
    next = Promise.withResolvers<void>();
    await Promise.race([next.promise, callers]);
    resetter.reset();
  }
  isOver = true;
  await callers;
}

/**
 * A connection with nothing to do is reset. Something is asked at the very moment at which its socket has its error and is not
 * closed yet, and something more in every turn of the event loop after it.
 */
export async function whileIdle(resetter: Resetter, ask: Ask): Promise<void> {
  let asked: Promise<boolean>[] = [];
  let reset = Promise.withResolvers<void>();
  let isOver = false;
  const watch = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    socket.on('error', () => {
      if (isOver) return;
      asked.push(ask('at the error'));
      reset.resolve();
    });
  };
  subscribe('net.client.socket', watch);
  try {
    // Its socket is one that is watched.
    resetter.reset();
    for (let resets = 0; resets < RESETS; resets++) {
      while (!(await ask(`before ${resets}`))) await turn();
      asked = [];
      reset = Promise.withResolvers();
      resetter.reset();
      await reset.promise;
      for (let turns = 0; turns < TURNS; turns++) {
        asked.push(ask(`${resets}.${turns}`));
        await turn();
      }
      await Promise.all(asked);
    }
  } finally {
    isOver = true;
    unsubscribe('net.client.socket', watch);
  }
}
