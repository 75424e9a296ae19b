/** One process as an operator meets it: readiness tells the truth, a stop loses nothing, a wrong start says why. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { wallets } from '@local-plus/contracts';
import { migrationsFolder } from './config.ts';
import { migrate } from './platform/postgres/index.ts';
import {
  adminToken,
  assertProblem,
  type Caller,
  eventually,
  operator,
  SignedClient,
  signingKeysText,
  TestStack,
} from './test/stack.ts';
import { Tenant } from './test/tenant.ts';

const main = path.join(import.meta.dirname, 'main.ts');

async function newWallet(client: SignedClient): Promise<{ caller: Caller; target: string }> {
  const tenant = await Tenant.open(client);
  return { caller: tenant.caller, target: `/v1/wallets/${await tenant.wallet()}` };
}

describe('a process of core', () => {
  const stack = new TestStack();
  let client: SignedClient;

  before(async () => {
    ({ client } = await stack.serve());
  });
  after(() => stack.stop());

  it('shows itself to machines', async () => {
    assert.equal((await client.get('/healthz')).status, 200);
    const readiness = (await client.get('/readyz')).json;
    const parts = { database: 'up', ledger: 'up', redis: 'not configured', kafka: 'not configured' };
    assert.deepEqual(readiness, { status: 'ready', reasons: [], parts });
    assert.equal(((await client.get('/openapi.json')).json as { openapi: string }).openapi, '3.1.0');
    const metrics = (await client.get('/metrics')).text;
    for (const name of [
      'http_requests_total',
      'ledger_queue_depth',
      'wallet_directory_held',
      'cache_merchant_apikey_total',
    ]) {
      assert.match(metrics, new RegExp(`^# TYPE ${name} `, 'm'));
    }
  });

  it('says so when Postgres goes, refuses with 503, and recovers by itself', async () => {
    const { caller, target } = await newWallet(client);
    await stack.postgres.stopImmediately();
    await eventually('it is not ready', async () => (await client.get('/readyz')).status === 503);
    assert.equal((await client.get('/healthz')).status, 200);
    const refusals = [
      await client.post(`${target}/earn`, { amount: 1 }, { caller }),
      await client.get(target, { caller }),
      await client.post('/v1/merchants', { name: 'M' }, { caller: operator }),
      await client.post('/v1/wallets', { program_id: '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b' }, { caller }),
    ];
    for (const refusal of refusals) assertProblem(refusal, 503, 'unavailable');
    await stack.postgres.start();
    await eventually('it is ready', async () => (await client.get('/readyz')).status === 200);
    const earn = await client.post(`${target}/earn`, { amount: 5 }, { caller });
    assert.equal(earn.status, 201, earn.text);
    assert.equal(wallets.wallet.parse((await client.get(target, { caller })).json).balance, 5);
  });

  it('is not ready on a schema older than it needs', async () => {
    const sql = stack.sql();
    const rows =
      await sql`delete from schemaversion where version = (select max(version) from schemaversion) returning *`;
    await eventually('it is not ready', async () => /migration/.test((await client.get('/readyz')).text));
    await sql`insert into schemaversion ${sql(rows[0] ?? {})}`;
    await eventually('it is ready', async () => (await client.get('/readyz')).status === 200);
  });

  it('serves only machines without the role of the API', async () => {
    const relay = await stack.startCore({ ROLES: 'relay', WRITER_ID: '5' });
    assertProblem(await relay.client.get('/v1/catalog'), 404, 'not_found');
    assert.equal((await relay.client.get('/readyz')).status, 200);
  });

  it('migrates once, whoever else does at the same time', async () => {
    await stack.sql()`create database fresh`;
    const url = stack.postgres.url.replace(/\/[^/]*$/, '/fresh');
    const options = { url, folder: migrationsFolder, connectMs: 5_000 };
    const reports = await Promise.all([migrate(options), migrate(options), migrate(options)]);
    assert.equal(reports.filter(({ applied }) => applied.length > 0).length, 1);
    assert.equal(new Set(reports.map(({ version }) => version)).size, 1);
    assert.deepEqual((await migrate(options)).applied, []);
  });
});

describe('the program', () => {
  const stack = new TestStack();
  const children: ChildProcess[] = [];

  before(() => stack.startPostgres());
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await stack.stop();
  });

  function run(env: NodeJS.ProcessEnv) {
    const fixed = { DATABASE_URL: stack.postgres.url, EDGE_SIGNING_KEYS: signingKeysText, ADMIN_TOKEN: adminToken };
    const child = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'], ...fixed, CORE_PORT: '0', WRITER_ID: '9', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    // Not 'exit': what it said last may be read after that.
    const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    /** Where it listens, which the kernel chooses. */
    async function listening(): Promise<number> {
      let port = 0;
      await eventually('it listens', () => {
        port = Number(/"port":(\d+).*"event":"listening"/.exec(output)?.[1] ?? 0);
        return port > 0;
      });
      return port;
    }
    /** When it is ready. */
    async function ready(): Promise<SignedClient> {
      const client = new SignedClient(await listening());
      await eventually('it is ready', async () => (await client.get('/readyz').catch(() => null))?.status === 200);
      return client;
    }
    return { child, exited, listening, ready, output: () => output };
  }

  it('says everything that is wrong with its configuration, and leaves', async () => {
    const { exited, output } = run({ CORE_PORT: 'x', ADMIN_TOKEN: 'short' });
    assert.deepEqual(await exited, { code: 2, signal: null });
    assert.match(output(), /CORE_PORT: .*ADMIN_TOKEN: /s);
  });

  it('leaves when its port is taken', async () => {
    const first = run({});
    const second = run({ CORE_PORT: String(await first.listening()), WRITER_ID: '10' });
    assert.equal((await second.exited).code, 1);
    assert.match(second.output(), /taken/);
    first.child.kill('SIGTERM');
    assert.equal((await first.exited).code, 0);
  });

  it('answers everything that it accepted before a SIGTERM ends it', async () => {
    const { child, exited, ready, output } = run({});
    const client = await ready();
    const { caller, target } = await newWallet(client);
    let answered = 0;
    let asked = 0;
    const clients = Array.from({ length: 8 }, async () => {
      for (;;) {
        asked++;
        const earn = await client.post(`${target}/earn`, { amount: 1 }, { caller }).catch(() => null);
        if (earn === null) return;
        assert.equal(earn.status, 201, earn.text);
        answered++;
      }
    });
    await eventually('it is under load', () => answered > 100);
    child.kill('SIGTERM');
    assert.deepEqual(await exited, { code: 0, signal: null });
    await Promise.all(clients);
    assert.ok(asked > answered);
    assert.match(output(), /"event":"stopped"/);
    assert.doesNotMatch(output(), /"level":"error"/);
    const again = run({});
    const wallet = wallets.wallet.parse((await (await again.ready()).get(target, { caller })).json);
    assert.ok(wallet.balance >= answered && wallet.balance <= asked, `${wallet.balance} of ${answered} … ${asked}`);
    again.child.kill('SIGTERM');
    await again.exited;
  });

  it('ends at once at a second signal', async () => {
    const { child, exited, listening } = run({});
    await listening();
    child.kill('SIGTERM');
    child.kill('SIGINT');
    const { code, signal } = await exited;
    assert.ok(signal === null && (code === 1 || code === 0), `${code} ${signal}`);
  });
});
