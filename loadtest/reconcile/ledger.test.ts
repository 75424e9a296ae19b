/** The reconciler reads the ledger's real schema on a real Postgres, and finds there what was planted. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ProgramId, programAccount, seqOf, transactionId } from '@local-plus/contracts';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';
import { type Reconciliation, reconcile } from './index.ts';

const wallet = '01900000-0000-7000-8000-00000000000a';
const program = '01900000-0000-7000-8000-0000000000ff';
const atMs = 1_790_000_000_123;

const schemas = ['003.do.ledger', '006.do.ledger-kinds', '012.do.open-transfers'].map((migration) =>
  readFileSync(new URL(`../../core/migrations/${migration}.sql`, import.meta.url), 'utf8'),
);

let dir: string;
let server: PostgresServer;
let sql: postgres.Sql;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'local-plus-reconcile-'));
  const [port = 0] = await freePorts(1);
  server = await startPostgres({ dataDir: join(dir, 'postgres'), port });
  sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  for (const schema of schemas) await sql.unsafe(schema);
});

after(async () => {
  await sql.end();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Earn 100, burn 30, then a burn that was refused. */
async function fill(): Promise<void> {
  await sql`truncate transactions, refusals, open_transfers`;
  const rows = [
    { kind: 'earn', amount: 100, delta: 100, balance: 100, key: 'run.1' },
    { kind: 'burn', amount: 30, delta: -30, balance: 70, key: 'run.2' },
  ];
  for (const [index, row] of rows.entries()) {
    await sql`
      insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
                                contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
      values (${wallet}, ${index + 1}, ${seqOf(positionOf(index))}, ${row.amount}, ${row.delta}, ${row.balance}, 0,
              ${new Date(atMs)}, ${program}, ${program}, ${program}, ${row.kind}, '\\x00', ${row.key})`;
  }
  await sql`
    insert into refusals (account_id, program_id, seq, amount, balance, held, version, occurred_at, correlation_id, kind, code,
                          request_hash, idempotency_key)
    values (${wallet}, ${program}, ${seqOf(positionOf(2))}, 500, 70, 0, 2, ${new Date(atMs)}, ${program}, 'burn',
            'insufficient_funds', '\\x00', 'run.3')`;
}

function positionOf(index: number): { writerId: number; batch: number; place: number } {
  return { writerId: 1, batch: index + 1, place: 0 };
}

function recordText(): string {
  const line = (n: number, kind: string, amount: number, balance: number): string =>
    JSON.stringify({
      ...{ key: `run.${n}`, wallet_id: wallet, kind, amount, status: 201, replay: false },
      answer: {
        ...{ id: transactionId(atMs, positionOf(n - 1)), wallet_id: wallet, kind, amount, unit: 'PTS' },
        ...{ balance_after: balance, held_after: 0, version: n, created_at: new Date(atMs).toISOString() },
      },
    });
  const refused = {
    key: 'run.3',
    wallet_id: wallet,
    kind: 'burn',
    amount: 500,
    status: 409,
    replay: false,
    answer: {},
  };
  return [line(1, 'earn', 100, 100), line(2, 'burn', 30, 70), JSON.stringify(refused), ''].join('\n');
}

async function run(): Promise<Reconciliation> {
  const record = join(dir, 'record.ndjson');
  writeFileSync(record, recordText());
  return await reconcile({ databases: [{ url: server.url }], kafka_brokers: null }, [record], () => undefined);
}

function firstWords({ results }: Reconciliation): string {
  return results.find(({ first }) => first !== null)?.first ?? '';
}

test('a sound ledger reconciles, id for id, and says that Kafka was not looked at', async () => {
  await fill();
  const reconciliation = await run();
  assert.equal(firstWords(reconciliation), '');
  assert.equal(reconciliation.isClean, true);
  assert.deepEqual(reconciliation.notes, ['I5 was not checked: the stack has no Kafka.']);
});

/** A transfer to an account of another lane, whose other half is not there. */
const departure = `insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after,
    occurred_at, contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, detail)
  values ('${wallet}', 3, ${seqOf(positionOf(3))}, 10, -10, 60, 0, now(), '${programAccount(program as ProgramId, 'transit')}',
    '${program}', '${program}', 'transfer_out', '', 'other.1', '{"partner":"${program}","across":true}');`;
const opened = `insert into open_transfers values ('${wallet}', 3);`;

test('a transfer that is on its way reconciles, and is told', async () => {
  await fill();
  await sql.unsafe(departure + opened);
  const { results, isClean } = await run();
  assert.equal(isClean, true);
  const transit = results.find(({ name }) => name.startsWith('I1 open transfers'));
  assert.deepEqual([transit?.looked, transit?.note], [1, '1 transfers are on their way']);
});

test('a transfer from one database to another reconciles, and without its other half it does not', async () => {
  await fill();
  await sql.unsafe(departure + opened);
  await sql`create database other`;
  const other = new URL(server.url);
  other.pathname = '/other';
  const second = postgres(other.href, { max: 1, onnotice: () => undefined });
  try {
    for (const schema of schemas) await second.unsafe(schema);
    const both = async () => {
      const databases = [{ url: server.url }, { url: other.href }];
      return reconcile({ databases, kafka_brokers: null }, [], () => undefined);
    };
    assert.equal((await both()).isClean, true, 'it is on its way');
    await second.unsafe(`insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after,
        occurred_at, contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
      values ('${program}', 1, ${seqOf({ writerId: 2, batch: 1, place: 0 })}, 10, 10, 10, 0, now(),
        '${programAccount(program as ProgramId, 'transit')}', '${program}', '${program}', 'transfer_in', '',
        'transfer ${wallet} other.1')`);
    const arrived = await both();
    assert.equal(arrived.isClean, true, firstWords(arrived));
    await sql`truncate open_transfers`;
    assert.equal((await both()).isClean, true, 'it is closed');
    await second`truncate transactions`;
    assert.match(firstWords(await both()), /^10 are in transit .* its 0 open transfers are 0/);
  } finally {
    await second.end();
  }
});

const plants = [
  { what: 'a lost transaction', plant: `delete from transactions where version = 2`, found: /is not in the ledger/ },
  { what: 'a balance', plant: `update transactions set balance_after = 71 where version = 2`, found: /sum to 70/ },
  { what: 'a gap', plant: `update transactions set version = 3 where version = 2`, found: /where version 2 should/ },
  { what: 'an overdraft', plant: `update transactions set held_after = 71 where version = 2`, found: /-1 available/ },
  { what: 'a time', plant: `update transactions set occurred_at = now() where version = 1`, found: /differ in id/ },
  {
    what: 'a doubled write',
    plant: `insert into transactions select account_id, 3, seq + 1, amount, balance_delta, 40, held_after, occurred_at,
      contra_account_id, program_id, correlation_id, kind, request_hash, 'run.again', reference, metadata, traceparent,
      reversal_of from transactions where version = 2`,
    found: /burn run\.again/,
  },
  {
    what: 'a transfer without its other half',
    plant: departure,
    found: /^10 are in transit .* its 0 open transfers are 0/,
  },
  {
    what: 'a transfer with its other half in another amount',
    plant: `${departure}
      insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after,
        occurred_at, contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
      select program_id, 1, seq + 1, 9, 9, 9, 0, occurred_at, contra_account_id, program_id, correlation_id, 'transfer_in',
        '', 'transfer ' || account_id || ' ' || idempotency_key from transactions where version = 3;`,
    found: /^1 are in transit/,
  },
  { what: 'a refusal that was not kept', plant: `delete from refusals`, found: /was refused, but not for good/ },
] as const;

for (const { what, plant, found } of plants) {
  test(`${what} is found`, async () => {
    await fill();
    await sql.unsafe(plant);
    const reconciliation = await run();
    assert.equal(reconciliation.isClean, false);
    assert.match(firstWords(reconciliation), found);
  });
}
