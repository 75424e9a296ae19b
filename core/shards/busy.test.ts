/** A process whose pool has more to do than it can: it is slow, and not dead. On a real Postgres, with two processes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type postgres from 'postgres';
import { limits } from '../limits.ts';
import { eventually, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { shardLimits } from './limits.ts';

describe('a process whose requests keep all connections of its pool', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;
  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql(2);
    await stack.startCore({ WRITER_ID: '2' });
  });
  after(() => stack.stop());

  const owners = () => sql`select id, writer_id, version from shards order by id`;
  const epochs = () => sql`select id, epoch from writers order by id`;

  /** Each of its connections has a statement that waits for the lock. */
  async function isPoolBusy(): Promise<boolean> {
    const [row] = await sql`select count(*)::int as count from pg_stat_activity
      where application_name = 'core' and wait_event_type = 'Lock'`;
    return row?.['count'] === limits.connectionsMax;
  }

  it('keeps its shards, though others would take over from the dead', async () => {
    await eventually('the shards are shared', async () => {
      const shares = await sql`select count(*)::int as count from shards group by writer_id`;
      return shares.length === 2 && shares.every(({ count }) => count === 128);
    });
    const [held, epochsBefore] = [await owners(), await epochs()];
    const asked: Promise<unknown>[] = [];
    await stack.sql().begin(async (lock) => {
      await lock`lock table audit_entries in access exclusive mode`;
      for (let count = 0; count < 100; count++) asked.push(client.get('/v1/audit-entries', { caller: operator }));
      await eventually('they keep the pool busy', isPoolBusy);
      const [since] = await sql`select clock_timestamp() as at`;
      await eventually('beats go on for longer than who is silent is waited for', async () => {
        const [late] = await sql`select count(*)::int as count from members
          where seen_at < ${since?.['at']}::timestamptz + make_interval(secs => ${shardLimits.deadMs / 1_000}::float8)`;
        return late?.['count'] === 0;
      });
      await eventually('and the pool is busy still', isPoolBusy);
    });
    await Promise.all(asked);
    assert.deepEqual([...(await owners())], [...held]);
    assert.deepEqual([...(await epochs())], [...epochsBefore]);
  });
});
