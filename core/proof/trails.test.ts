/** The audit trails on a real Postgres: honest ones pass at any size of a page, and each broken link is found, and named. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type MerchantId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { auditEntry, recordEntry } from '../audit/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { openDatabase } from './test/stage.ts';
import { type Audit, auditLedger } from './verify.ts';

const context = {
  keyId: 'k1',
  timeMs: 0,
  nonce: 'n',
  budgetMs: 1_000,
  clientIp: '-',
  merchantId: null,
  subject: 'operator',
  scopes: [],
};

/** In the order of their ids; null: the operator's, which comes first. */
const trails = [null, ...[1, 2, 3].map(() => randomUUID() as MerchantId).sort()];
const ENTRIES = 5;

describe('the audit of the audit trails', () => {
  let postgres: TestDatabase;
  let database: Database;
  before(async () => {
    postgres = await startDatabase();
    database = openDatabase(postgres.url);
    for (let n = 1; n <= ENTRIES; n++) {
      for (const merchantId of trails) {
        const about = { targetType: 'merchant', targetId: String(n), action: 'merchant.set_plan' };
        const told = { before: null, after: { n }, requestId: uuidV7<RequestId>(n) };
        await recordEntry(database, auditEntry({ merchantId, context, ...about, ...told }, n));
      }
    }
    await postgres.sql`create table kept_entries as table audit_entries`;
  });
  after(async () => {
    await database.close(1_000);
    await postgres.close();
  });

  async function found(pageRows: number): Promise<Audit['results'][number]> {
    const { results } = await auditLedger({ database, pageRows });
    return results.find(({ rule }) => rule === 'trails') ?? assert.fail('the trails were not looked at');
  }

  async function damaged(statement: string): Promise<void> {
    await postgres.sql.begin(async (sql) => {
      await sql`alter table audit_entries disable trigger audit_entries_append_only`;
      await sql`truncate audit_entries`;
      await sql`insert into audit_entries select * from kept_entries`;
      await sql.unsafe(statement);
    });
  }

  it('passes over honest ones', async () => {
    for (const pageRows of [1, 3, ENTRIES, 1_000]) {
      const { looked, violations } = await found(pageRows);
      assert.deepEqual([looked, violations], [trails.length * ENTRIES, 0]);
    }
  });

  it('names the first entry that is wrong, once for each trail', async () => {
    const [, first, second, third] = trails;
    const damages: readonly (readonly [statement: string, what: string])[] = [
      [
        `update audit_entries set entry = replace(entry::text, '"n":3', '"n":4')::json where trail = '${second}' and place = 3`,
        `entry 3 of the audit trail of ${second} is not what was hashed`,
      ],
      [
        `update audit_entries set hash = sha256('x') where trail = '${third}' and place = 5`,
        `entry 5 of the audit trail of ${third} is not what was hashed`,
      ],
      [
        `delete from audit_entries where trail = '${first}' and place = 1`,
        `entry 1 of the audit trail of ${first} is missing`,
      ],
      [
        `delete from audit_entries where trail = '${second}' and place = 2`,
        `entry 2 of the audit trail of ${second} is missing`,
      ],
    ];
    for (const [statement, what] of damages) {
      await damaged(statement);
      for (const pageRows of [1, 3, 1_000]) {
        const { violations, first: finding } = await found(pageRows);
        assert.deepEqual([violations, finding?.what], [1, what]);
      }
    }
    await damaged(`delete from audit_entries where place = 2`);
    assert.equal((await found(3)).violations, trails.length);
  });
});
