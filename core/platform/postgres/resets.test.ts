/** Connections that are reset while statements are sent: none is answered with nothing, or with what another one found. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { quiet } from '../../test/log.ts';
import { type Ask, Resetter, whileBusy, whileIdle } from '../../test/resets.ts';
import { TestStack } from '../../test/stack.ts';
import { createDatabase, DatabaseUnavailable, LoneConnection } from './index.ts';

interface Echo {
  readonly said: string;
}

const ECHO = 'select $1::text as said';
const bounds = { connectMs: 2_000, statementMs: 2_000, statementGraceMs: 500 };

describe('connections that are reset', () => {
  const stack = new TestStack();
  let resetter: Resetter;
  let url: string;

  before(async () => {
    await stack.startPostgres();
    resetter = new Resetter(stack.postgres.url);
    url = await resetter.listen(stack.postgres.url);
  });
  after(async () => {
    await resetter.close();
    await stack.stop();
  });

  /** Whoever is told nothing else is told that the connection was lost, and not that nobody answered in time. */
  function echo(run: (parameters: string[]) => Promise<readonly Echo[]>): Ask {
    return async (said) => {
      try {
        const rows = await run([said]);
        assert.deepEqual(
          rows.map((row) => row.said),
          [said],
        );
        return true;
      } catch (error) {
        assert.ok(error instanceof DatabaseUnavailable && error.connectionLost, String(error));
        return false;
      }
    };
  }

  for (const [name, trouble] of [
    ['busy', whileBusy],
    ['idle', whileIdle],
  ] as const) {
    it(`${name}: a pool answers each statement with its own rows, or says that they were lost`, async () => {
      for (const connectionsMax of [1, 3]) {
        const database = createDatabase({ url, name: 'test', log: quiet, connectionsMax, ...bounds });
        await trouble(
          resetter,
          echo((parameters) => database.read<Echo>(ECHO, parameters)),
        );
        await trouble(
          resetter,
          echo((parameters) => database.write<Echo>(ECHO, parameters)),
        );
        await database.close(0);
      }
    });

    it(`${name}: so does a lone connection`, async () => {
      const failure = (message: string, { cause }: { cause: unknown }) =>
        new DatabaseUnavailable(message, { cause, connectionLost: message !== 'Postgres: no reply' });
      const lone = new LoneConnection({ url, name: 'test', settings: {}, failure });
      await trouble(
        resetter,
        echo((parameters) => lone.run<Echo>(ECHO, parameters)),
      );
      await lone.end();
    });
  }
});
