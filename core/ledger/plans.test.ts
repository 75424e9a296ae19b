/** How Postgres goes about the statements: by the indexes, whatever the statistics say, and no further than asked. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { batchOf, newAccountId, posted, refused } from '@local-plus/actors/conformance';
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import postgres from 'postgres';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { dueStatement } from './dues.ts';
import { closeTransfersStatement, openTransfersStatement } from './open-transfers.ts';
import { commitOf, lookUpParameters, lookUpStatement } from './statements.ts';
import { PostgresLedgerStore, plannerSettings, storeDefaults } from './store.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Actual Loops'?: number;
  readonly 'Actual Rows'?: number;
  readonly Plans?: readonly PlanNode[];
}

function planFrom(rows: readonly postgres.Row[]): PlanNode {
  const [row] = rows;
  assert.ok(row);
  const [{ Plan: plan }] = row['QUERY PLAN'] as [{ readonly Plan: PlanNode }];
  return plan;
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Index, its condition, how often it was begun and how many rows it gave. */
function indexScans(nodes: readonly PlanNode[]): string[] {
  return nodes
    .filter((node) => node['Index Name'] !== undefined)
    .map((node) => {
      const loops = node['Actual Loops'] ?? 0;
      return `${node['Index Name']}: ${loops} × ${Math.round(node['Actual Rows'] ?? 0)}`;
    })
    .sort();
}

const allowed = ['Append', 'Nested Loop', 'Function Scan', 'Limit', 'Index Scan', 'Aggregate'];

describe('the plans of the ledger', () => {
  let database: TestDatabase;
  let session: postgres.Sql;
  const plain = Array.from({ length: 3 }, newAccountId);
  const tailed = newAccountId();
  const checkpointed = newAccountId();
  before(async () => {
    database = await startDatabase();
    session = postgres(database.url, { max: 1, fetch_types: false, connection: plannerSettings });
    await session.unsafe(`prepare look_up as ${lookUpStatement}`);
  });
  after(async () => {
    await session.end();
    await database.close();
  });

  const planOf = async (name: string, parameters: readonly string[], analyze = true): Promise<PlanNode[]> => {
    const literals = parameters.map((parameter) => `'${parameter}'`).join(',');
    const how = analyze ? 'explain (analyze, format json)' : 'explain (format json)';
    return nodesOf(planFrom(await session.unsafe(`${how} execute ${name}(${literals})`)));
  };
  const lookUp = (accounts: readonly AccountId[]) =>
    planOf(
      'look_up',
      lookUpParameters({ accounts, keys: [{ accountId: tailed, idempotencyKey: 'key-7' as IdempotencyKey }] }),
    );

  it('look-ups begin with index scans while the tables are empty', async () => {
    const nodes = await lookUp([tailed]);
    for (const node of nodes) assert.ok(allowed.includes(node['Node Type']), node['Node Type']);
    assert.equal(indexScans(nodes).length, 5);
  });

  it('look-ups scan by account and key, by account and version, and nothing else', async () => {
    const store = new PostgresLedgerStore({ databaseUrl: database.url, ...storeDefaults });
    const writer = { writerId: 1, ...(await store.claim(1)) };
    for (let version = 1; version <= 40; version++) {
      const based = version > 10 ? { baseVersion: 10 } : {};
      const rows = [
        ...plain.map((accountId) => posted(accountId, version)),
        posted(tailed, version, {}, based),
        posted(checkpointed, version, {}, version === 10 ? { baseVersion: 10, checkpoint: '{}' } : based),
      ];
      assert.ok(await store.commit(batchOf({ ...writer, batch: writer.batch + version }, { posted: rows })));
    }
    for (const name of ['reads', 'writes'] as const) await store.reset(name);
    await database.sql`analyze`;
    const nodes = await lookUp([...plain, tailed, checkpointed]);
    for (const node of nodes) assert.ok(allowed.includes(node['Node Type']), node['Node Type']);
    assert.deepEqual(indexScans(nodes), [
      'account_states_pkey: 2 × 1',
      'refusals_pkey: 1 × 0',
      'transactions_account_id_idempotency_key_key: 1 × 1',
      'transactions_pkey: 2 × 31',
      'transactions_pkey: 5 × 1',
    ]);
    for (const node of nodes) {
      if (node['Index Name'] !== undefined) assert.match(node['Index Cond'] ?? '', /account_id = /);
    }
  });

  it('transactions are analysed from a tenth of the usual sample: no column asks for more', async () => {
    const columns = await database.sql<{ name: string }[]>`
      select attname as name from pg_attribute
      where attrelid = 'transactions'::regclass and attnum > 0 and not attisdropped
        and attstattarget is distinct from 10`;
    assert.deepEqual(
      columns.map(({ name }) => name),
      [],
    );
  });

  it('an account whose newest row says it all costs one probe: neither rows nor a checkpoint are looked for', async () => {
    const scans = indexScans(await lookUp(plain));
    assert.ok(scans.includes('transactions_pkey: 3 × 1'), String(scans));
    assert.ok(scans.includes('transactions_pkey: 0 × 0'), String(scans));
    assert.ok(scans.includes('account_states_pkey: 0 × 0'), String(scans));
  });

  const tablesOf = (nodes: readonly PlanNode[]) =>
    nodes.filter((node) => node['Node Type'] === 'ModifyTable').map((node) => node['Relation Name']);

  /** As the store would send it, but for its being done. */
  async function planOfCommit(rows: Parameters<typeof batchOf>[1]): Promise<PlanNode[]> {
    const { statement, parameters } = commitOf(batchOf({ writerId: 1, epoch: 1, batch: 1 }, rows));
    await session.unsafe(`prepare write_batch as ${statement}`);
    const nodes = await planOf('write_batch', parameters, false);
    await session.unsafe('deallocate write_batch');
    assert.ok(!nodes.some((node) => node['Node Type'] === 'Seq Scan'));
    return nodes;
  }

  it('a batch finds its writer by the key, and names no table but those that it has rows for', async () => {
    const plain = await planOfCommit({ posted: [posted(tailed, 41)] });
    assert.ok(plain.some((node) => node['Index Name'] === 'writers_pkey'));
    assert.deepEqual(tablesOf(plain), ['writers', 'transactions']);
    const detail = { partner: newAccountId(), across: true } as const;
    const departure = posted(tailed, 41, {}, { kind: 'transfer_out', detail });
    assert.deepEqual(tablesOf(await planOfCommit({ posted: [departure] })), [...tablesOf(plain), 'open_transfers']);
    const more = posted(tailed, 41, {}, { checkpoint: '{}', due: { atMs: 1 } });
    assert.deepEqual(tablesOf(await planOfCommit({ posted: [more], refused: [refused(tailed, 'r')] })), [
      ...tablesOf(plain),
      'refusals',
      'account_states',
      'account_dues',
    ]);
  });

  it('an optimistic batch costs one probe a key, in the other table, and one of its writer', async () => {
    const nodes = await planOfCommit({
      posted: [posted(tailed, 41)],
      refused: [refused(tailed, 'r')],
      isOptimistic: true,
    });
    const indexes = nodes.flatMap((node) => node['Index Name'] ?? []).sort();
    assert.deepEqual(indexes, [
      'refusals_pkey',
      'transactions_account_id_idempotency_key_key',
      'writers_pkey',
      'writers_pkey',
    ]);
  });

  it('open transfers are found by their time and their place, and closed by their place', async () => {
    await database.sql`insert into open_transfers
      select account_id, version, now() - interval '1 hour' from transactions where account_id <> ${tailed}`;
    await database.sql`insert into open_transfers select gen_random_uuid(), 1, now() from generate_series(1, 20000)`;
    await database.sql`analyze open_transfers`;
    const find = openTransfersStatement.replace('$1', '3000').replace('$2', '50');
    const scans = indexScans(nodesOf(planFrom(await database.sql.unsafe(`explain (analyze, format json) ${find}`))));
    assert.deepEqual(scans, ['open_transfers_opened_at: 1 × 50', 'transactions_pkey: 50 × 1']);
    const close = closeTransfersStatement.replace('$1', `'{${plain[0]}}'`).replace('$2', `'{7}'`);
    assert.deepEqual(indexScans(nodesOf(planFrom(await database.sql.unsafe(`explain (format json) ${close}`)))), [
      'open_transfers_pkey: 0 × 0',
    ]);
  });

  it('what is due is found by its time, on a session like any other, and no further than asked', async () => {
    await database.sql`insert into account_dues
      select gen_random_uuid(), case when n <= 500 then now() - interval '1 hour' else now() + n * interval '1 hour' end,
        gen_random_uuid() from generate_series(1, 20000) as n`;
    const statement = dueStatement.replace('$1', String(Date.now())).replace('$2', '200');
    for (const analyzed of [false, true]) {
      if (analyzed) await database.sql`analyze account_dues`;
      const plan = planFrom(await database.sql.unsafe(`explain (analyze, format json) ${statement}`));
      assert.deepEqual(indexScans(nodesOf(plan)), ['account_dues_due_at: 1 × 200']);
    }
  });
});
