import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CoreOptions, coreEnvironment, coreServer, migrate, startCore } from './core.ts';
import { StartError } from './errors.ts';
import { freePorts } from './ports.ts';
import { restartDelayMs, supervise } from './supervisor.ts';
import { testFolder } from './test-folder.ts';
import { waitUntil } from './waits.ts';

const standIn = `
import { createServer } from 'node:http';
const { CORE_PORT, CORE_HOST, KAFKA_BROKERS, REDIS_URL, EDGE_SIGNING_KEYS, ROLES, WRITER_ID } = process.env;
const answer = JSON.stringify({ KAFKA_BROKERS, REDIS_URL, EDGE_SIGNING_KEYS, ROLES, WRITER_ID });
createServer((request, response) => response.end(answer)).listen(Number(CORE_PORT), CORE_HOST);
`;

async function optionsIn(program: string, migration = ''): Promise<CoreOptions> {
  const folder = testFolder();
  const [entry, migrateEntry] = [join(folder, 'main.mjs'), join(folder, 'migrate.mjs')];
  writeFileSync(entry, program);
  writeFileSync(migrateEntry, migration);
  const [port] = (await freePorts(1)) as [number];
  return {
    port,
    runDir: join(folder, 'run'),
    logDir: join(folder, 'logs'),
    databaseUrl: 'postgres://nowhere/none',
    kafkaBrokers: ['a:1', 'b:2'],
    redisUrl: null,
    signingKeys: ['k1:one', 'k2:two'],
    adminToken: 'lp_admin_test',
    environment: {},
    entry,
    migrateEntry,
  };
}

test('core gets its whole configuration by environment', async (context) => {
  const server = await startCore(await optionsIn(standIn));
  context.after(() => server.stop());
  assert.deepEqual(await (await fetch(server.url)).json(), {
    KAFKA_BROKERS: 'a:1,b:2',
    REDIS_URL: '',
    EDGE_SIGNING_KEYS: 'k1:one,k2:two',
    ROLES: 'api,relay',
    WRITER_ID: '1',
  });
  const several = { furtherDatabases: new Map([[2, 'postgres://two/x']]), databaseId: 2 };
  const { LEDGER_DATABASES, LEDGER_DATABASE_ID } = coreEnvironment({ ...(await optionsIn(standIn)), ...several });
  const keys = { giftcardCodeKeys: ['k2:new', 'k1:old'], customerKeys: ['c2:new', 'c1:old'] };
  const { GIFTCARD_CODE_KEYS, CUSTOMER_KEYS } = coreEnvironment({ ...(await optionsIn(standIn)), ...keys });
  assert.deepEqual([GIFTCARD_CODE_KEYS, CUSTOMER_KEYS], ['k2:new,k1:old', 'c2:new,c1:old']);
  assert.deepEqual([LEDGER_DATABASES, LEDGER_DATABASE_ID], ['2=postgres://two/x', '2']);
});

test('core runs where it is told to, as the process that is signalled, and listens at its own address', async (context) => {
  const within = ['/usr/bin/env', 'WRITER_ID=9'];
  const server = coreServer({ ...(await optionsIn(standIn)), host: '127.0.0.2', within });
  await server.start();
  context.after(() => server.stop());
  assert.equal(server.url, `http://127.0.0.2:${server.port}`);
  assert.equal(((await (await fetch(server.url)).json()) as { WRITER_ID: string }).WRITER_ID, '9');
  const { exited } = server;
  process.kill(server.pid ?? 0, 'SIGKILL');
  assert.equal((await exited).signal, 'SIGKILL');
  assert.equal(server.pid, null);
});

test('a migration that fails is told with the end of its output, and core is not started', async () => {
  const options = await optionsIn(standIn, "console.error('no such table'); process.exit(3);");
  await assert.rejects(migrate(options), (error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /exit code 3[\s\S]*no such table/);
    return true;
  });
});

test('a core that ends while it starts is told with the end of its log', async () => {
  const options = await optionsIn("console.error('bad configuration'); process.exit(4);");
  await assert.rejects(coreServer(options).start(), (error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /exit code 4[\s\S]*bad configuration/);
    return true;
  });
});

test('a supervised server that is killed runs again, says so, and stays down once it is stopped', async (context) => {
  const server = await startCore(await optionsIn(standIn));
  const lines: string[] = [];
  let restartCount = 0;
  const onRestart = (): void => {
    restartCount++;
  };
  const supervision = supervise(server, { log: (line) => lines.push(line), onRestart });
  context.after(() => supervision.stop());
  const firstPid = server.pid;
  await server.kill();
  assert.ok(await waitUntil(() => restartCount === 1, { timeoutMs: 30_000, everyMs: 20 }));
  assert.notEqual(server.pid, firstPid);
  assert.match(lines.join('\n'), /core ended unexpectedly \(SIGKILL\); starting it again in 0.25 s\ncore runs again/);
  await supervision.stop();
  assert.equal(server.pid, null);
  assert.equal(restartCount, 1);
});

test('restart delays double up to their bound', () => {
  assert.deepEqual(
    [0, 1, 2, 5, 6, 1_000].map((attempt) => restartDelayMs(attempt)),
    [250, 500, 1_000, 8_000, 10_000, 10_000],
  );
});
