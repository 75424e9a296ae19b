/** A process whose pool has more to do than it can: it is slow, and not dead. On a real Postgres, with two processes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { shardLimits } from './limits.ts';

describe('a process whose requests keep all connections of its pool', () => {
  const stack = new TestStack();
  let client: SignedClient;
  before(async () => {
    ({ client } = await stack.serve());
    await stack.startCore({ WRITER_ID: '2' });
  });
  after(() => stack.stop());

  const owners = () => stack.sql()`select id, writer_id, version from shards order by id`;
  const epochs = () => stack.sql()`select id, epoch from writers order by id`;

  it('keeps its shards, though others would take over from the dead', async () => {
    await eventually('the shards are shared', async () => {
      const shares = await stack.sql()`select count(*)::int as count from shards group by writer_id`;
      return shares.length === 2 && shares.every(({ count }) => count === 128);
    });
    const [held, epochsBefore] = [await owners(), await epochs()];
    const sql = stack.sql();
    const answers: { readonly status: number; readonly tookMs: number }[] = [];
    await sql.begin(async (lock) => {
      await lock`lock table audit_entries in access exclusive mode`;
      const startedMs = performance.now();
      const asked = Array.from({ length: 100 }, async () => {
        const { status } = await client.get('/v1/audit-entries', { caller: operator });
        answers.push({ status, tookMs: performance.now() - startedMs });
      });
      await pause(shardLimits.deadMs + 1_500);
      assert.deepEqual(answers, [], 'they keep the pool busy');
      const [late] = await lock`
        select max(extract(epoch from clock_timestamp() - seen_at))::float8 as seconds from members`;
      assert.ok(late?.['seconds'] < shardLimits.gapMs / 1_000, 'and beats go on');
      return asked;
    });
    await eventually('all are answered', () => answers.length === 100);
    assert.deepEqual([...(await owners())], [...held]);
    assert.deepEqual([...(await epochs())], [...epochsBefore]);
  });
});
