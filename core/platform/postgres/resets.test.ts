/** Connections that are reset while statements are sent: no statement is answered with nothing, or with what another one found. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { quiet } from '../../test/log.ts';
import { TestStack } from '../../test/stack.ts';
import { createDatabase, DatabaseUnavailable, LoneConnection } from './index.ts';

const CALLERS = 6;
const RESETS = 30;
const TURNS = 12;
const ECHO = 'select $1::text as said';

/** Between the callers and Postgres: resets every connection that there is. */
class Resetter {
  readonly #clients = new Set<Socket>();
  readonly #server: Server;

  constructor(target: { readonly host: string; readonly port: number }) {
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

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
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

interface Echo {
  readonly said: string;
}

describe('connections that are reset', () => {
  const stack = new TestStack();
  let resetter: Resetter;
  let url: string;

  before(async () => {
    await stack.startPostgres();
    const { port, hostname } = new URL(stack.postgres.url);
    resetter = new Resetter({ host: hostname, port: Number(port) });
    const through = new URL(stack.postgres.url);
    through.port = String(await resetter.listen());
    url = through.href;
  });
  after(async () => {
    await resetter.close();
    await stack.stop();
  });

  type Ask = (said: string) => Promise<readonly Echo[]>;

  /** Whatever is told has to be what was asked for; else that the connection was lost, and not that nobody answered in time. */
  async function told(ask: Ask, said: string): Promise<boolean> {
    try {
      const rows = await ask(said);
      assert.deepEqual(
        rows.map((row) => row.said),
        [said],
      );
      return true;
    } catch (error) {
      assert.ok(error instanceof DatabaseUnavailable && error.connectionLost, String(error));
      return false;
    }
  }

  /** Callers ask one thing after another while connections are reset. */
  async function whileBusy(ask: Ask): Promise<void> {
    let isOver = false;
    let next = Promise.withResolvers<void>();
    const caller = async (name: number): Promise<void> => {
      for (let number = 0; !isOver; number++) {
        if (await told(ask, `${name}.${number}`)) next.resolve();
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

  /** A connection with nothing to do is reset, and something is asked in every turn of the event loop: before it is closed, too. */
  async function whileIdle(ask: Ask): Promise<void> {
    for (let resets = 0; resets < RESETS; resets++) {
      while (!(await told(ask, `before ${resets}`))) await turn();
      resetter.reset();
      const asked: Promise<boolean>[] = [];
      for (let turns = 0; turns < TURNS; turns++) {
        asked.push(told(ask, `${resets}.${turns}`));
        await turn();
      }
      await Promise.all(asked);
    }
  }

  const bounds = { connectMs: 2_000, statementMs: 2_000, statementGraceMs: 500 };
  for (const [name, trouble] of [
    ['busy', whileBusy],
    ['idle', whileIdle],
  ] as const) {
    it(`${name}: a pool answers each statement with its own rows, or says that they were lost`, async () => {
      for (const connectionsMax of [1, 3]) {
        const database = createDatabase({ url, name: 'test', log: quiet, connectionsMax, ...bounds });
        await trouble((said) => database.read<Echo>(ECHO, [said]));
        await trouble((said) => database.write<Echo>(ECHO, [said]));
        await database.close(0);
      }
    });

    it(`${name}: so does a lone connection`, async () => {
      const failure = (message: string, { cause }: { cause: unknown }) =>
        new DatabaseUnavailable(message, { cause, connectionLost: message !== 'Postgres: no reply' });
      const lone = new LoneConnection({ url, name: 'test', settings: {}, failure });
      await trouble((said) => lone.run<Echo>(ECHO, [said]));
      await lone.end();
    });
  }
});
