/** How Postgres counts what a merchant has under way: by an index of that alone, however many jobs there were. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MerchantId, uuidV7 } from '@local-plus/contracts';
import postgres from 'postgres';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { boundedStatement } from './store.ts';

const ENDED = 20_000;

describe('the plans of bulk issues', () => {
  let database: TestDatabase;
  let session: postgres.Sql;
  const merchantId = uuidV7<MerchantId>(0);

  before(async () => {
    database = await startDatabase();
    session = postgres(database.url, { max: 1, connection: { plan_cache_mode: 'force_generic_plan' } });
    await session`insert into giftcard_batches (id, merchant_id, program_id, cards_count, amount, has_pin, activate, public_key,
        request_id, status, file, ended_at, creator, idempotency_key, request_hash)
      select gen_random_uuid(), ${merchantId}, gen_random_uuid(), 1, 1, false, false, '{}', gen_random_uuid(), 'done',
        'delivered', now(), ${merchantId}, n::text, ''
      from generate_series(1, ${ENDED}::int) as n`;
    await session`analyze giftcard_batches`;
  });
  after(async () => {
    await session.end();
    await database.close();
  });

  it('look at no job that is over', async () => {
    await session.unsafe(`prepare bounded (uuid, text, text, uuid, uuid) as ${boundedStatement}`);
    const values = `'${merchantId}', '', '', '${merchantId}', '${merchantId}'`;
    const rows = await session.unsafe(`explain execute bounded(${values})`);
    assert.match(rows.map((row) => String(row['QUERY PLAN'])).join('\n'), /using giftcard_batches_counting/);
  });
});
