/** How Postgres finds redemptions, whatever the filters are: by an index, also with a plan that knows no values. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ProgramId, uuidV7 } from '@local-plus/contracts';
import postgres from 'postgres';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { pageQuery, type RedemptionFilter } from './redemptions-store.ts';

const ROWS = 20_000;
const REWARDS = 200;

describe('the plans of redemptions', () => {
  let database: TestDatabase;
  let session: postgres.Sql;
  const programId = uuidV7<ProgramId>(0);
  const rewards = Array.from({ length: REWARDS }, () => uuidV7<string>(0));

  before(async () => {
    database = await startDatabase();
    session = postgres(database.url, { max: 1, connection: { plan_cache_mode: 'force_generic_plan' } });
    await session`insert into reward_redemptions (id, reward_id, merchant_id, program_id, wallet_id, name, gives, points, status,
        code, correlation_id, creator, idempotency_key, request_hash)
      select gen_random_uuid(), (${rewards}::uuid[])[1 + n % ${REWARDS}::int], ${programId}, ${programId}, gen_random_uuid(),
        'R', '{}', 1, 'completed', 'code-' || n, gen_random_uuid(), ${programId}, n::text, ''
      from generate_series(1, ${ROWS}::int) as n`;
    await session`analyze reward_redemptions`;
  });
  after(async () => {
    await session.end();
    await database.close();
  });

  let prepared = 0;
  async function indexOf(filter: Omit<RedemptionFilter, 'programId'>, afterId: string | null): Promise<string> {
    const { statement, parameters } = pageQuery({ programId, ...filter }, afterId, 51);
    const name = `page_${++prepared}`;
    await session.unsafe(`prepare ${name} as ${statement}`);
    const literals = parameters.map((parameter) => `'${parameter}'`).join(', ');
    const rows = await session.unsafe(`explain execute ${name}(${literals})`);
    const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
    return /Index Scan (?:Backward )?using (\w+)/.exec(plan)?.[1] ?? plan;
  }

  for (const afterId of [null, uuidV7<string>(0)]) {
    const where = afterId === null ? 'from the newest on' : 'further on';
    it(`of a program, of a reward, of a code, ${where}`, async () => {
      const rewardId = rewards[0] as string;
      assert.equal(await indexOf({ rewardId: null, code: null }, afterId), 'reward_redemptions_program');
      assert.equal(await indexOf({ rewardId, code: null }, afterId), 'reward_redemptions_reward');
      assert.equal(await indexOf({ rewardId: null, code: 'code-7' }, afterId), 'reward_redemptions_code');
      assert.equal(await indexOf({ rewardId, code: 'code-7' }, afterId), 'reward_redemptions_code');
    });
  }
});
