/** A connection of its own on a real Postgres: what the server does about silence, and that an end is an end. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, TestStack } from '../../test/stack.ts';
import { inTransaction, LoneConnection } from './index.ts';

const settings = [
  ['tcp_keepalives_idle', '10'],
  ['tcp_keepalives_interval', '5'],
  ['tcp_keepalives_count', '3'],
  ['tcp_user_timeout', '25000'],
] as const;

describe('a connection of its own', () => {
  const stack = new TestStack();
  before(() => stack.startPostgres());
  after(() => stack.stop());

  function lone(name: string): LoneConnection {
    const failure = (message: string) => new Error(message);
    return new LoneConnection({ url: stack.postgres.url, name, settings: {}, failure });
  }

  it('has the server ask whether anybody is there, and so has a transaction that may hold a lock (C3)', async () => {
    const connection = lone('asked');
    await inTransaction({ url: stack.postgres.url, name: 'test', connectMs: 3_000 }, async (run) => {
      for (const [setting, expected] of settings) {
        const [row] = await connection.run<Record<string, string>>(`show ${setting}`, []);
        assert.equal(row?.[setting], expected);
        assert.equal((await run(`show ${setting}`))[0]?.[setting], expected);
      }
    });
    await connection.end();
  });

  it('is made again after it was given up, and never after its end', async () => {
    const connection = lone('ended');
    await connection.run('select 1', []);
    await connection.close();
    await connection.run('select 1', []);
    const underWay = assert.rejects(connection.run('select pg_sleep(5)', []));
    await connection.end();
    await underWay;
    await assert.rejects(connection.run('select 1', []), /was ended here/);
    const sql = stack.sql();
    await eventually('the server has ended its sessions', async () => {
      return (await sql`select 1 from pg_stat_activity where application_name = 'ended'`).length === 0;
    });
  });
});
