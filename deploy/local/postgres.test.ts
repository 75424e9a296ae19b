import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { identify, isAlive } from './identities.ts';
import { freePorts } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { shelterOf } from './postgres-home.ts';
import { testFolder } from './test-folder.ts';

const door = fileURLToPath(new URL('../index.ts', import.meta.url));

async function query(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}

async function stranger(): Promise<ChildProcess & { pid: number }> {
  // As the user that owns the cluster: only such a pid makes Postgres believe its old lock file.
  const options =
    process.getuid?.() === 0
      ? { uid: Number(readFileSync('/etc/passwd', 'utf8').match(/^postgres:[^:]*:(\d+)/m)?.[1]) }
      : {};
  const child = spawn('sleep', ['600'], { stdio: 'ignore', cwd: '/', ...options });
  await once(child, 'spawn');
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { pid: number };
}

test('what was committed survives kill -9, an immediate stop, and a restart', async (context) => {
  const folder = testFolder();
  const [port] = (await freePorts(1)) as [number];
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), port });
  context.after(() => server.stop());
  assert.deepEqual(await query(server.url, 'SHOW fsync'), [{ fsync: 'on' }]);
  assert.deepEqual(await query(server.url, 'SHOW wal_level'), [{ wal_level: 'logical' }]);
  await query(server.url, 'CREATE TABLE kept (step text)');
  const pids = new Set<number | null>();
  for (const step of ['kill', 'stopImmediately', 'stop'] as const) {
    await query(server.url, `INSERT INTO kept VALUES ('${step}')`);
    pids.add(server.pid);
    await server[step]();
    assert.equal(server.pid, null);
    await server.start();
  }
  assert.equal(pids.size, 3);
  assert.deepEqual(await query(server.url, 'SELECT count(*)::int AS rows FROM kept'), [{ rows: 3 }]);
});

test('the log says which constraint refused a row, but nothing of the row', async (context) => {
  const folder = testFolder();
  const [port] = (await freePorts(1)) as [number];
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), port });
  context.after(() => server.stop());
  await query(server.url, 'CREATE TABLE used (key text PRIMARY KEY)');
  const sql = postgres(server.url, { max: 1 });
  context.after(() => sql.end());
  const insert = () => sql`INSERT INTO used VALUES (${'order-of-somebody'})`;
  await insert();
  await assert.rejects(insert, { code: '23505' });
  const log = readFileSync(join(folder, 'logs', 'postgres.log'), 'utf8');
  assert.ok(log.includes('"used_pkey"'), log);
  assert.ok(!log.includes('order-of-somebody'), log);
});

test('PG1: a stale postmaster.pid with the recycled pid of a stranger neither stops the start nor hurts the stranger', async (context) => {
  const folder = testFolder();
  const [port] = (await freePorts(1)) as [number];
  const dataDir = join(folder, 'postgres');
  const server = await startPostgres({ dataDir, port });
  context.after(() => server.stop());
  const pidFile = join(dataDir, 'postmaster.pid');
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  await server.kill();
  const other = await stranger();
  context.after(() => other.kill('SIGKILL'));
  writeFileSync(pidFile, [String(other.pid), ...lines.slice(1)].join('\n'));
  await server.start();
  assert.equal(other.exitCode, null);
  assert.ok(identify(other.pid) !== null, 'the stranger lives');
});

for (const withPidFile of [true, false]) {
  test(`the Postgres of a killed run is ended by the next, ${withPidFile ? 'by its pid file' : 'by its data folder'}`, async (context) => {
    const folder = testFolder();
    const [port] = (await freePorts(1)) as [number];
    const options = { dataDir: join(folder, 'postgres'), port };
    const owner = `import { startPostgres } from ${JSON.stringify(door)};
      await startPostgres(${JSON.stringify(options)});
      process.kill(process.pid, 'SIGKILL');`;
    await once(spawn(process.execPath, ['--input-type=module', '-e', owner], { stdio: 'inherit' }), 'exit');
    const pid = Number(readFileSync(join(options.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const orphan = identify(pid);
    assert.ok(orphan !== null, 'the orphan runs on');
    if (!withPidFile) rmSync(join(folder, 'run', 'postgres.json'));
    const server = await startPostgres(options);
    context.after(() => server.stop());
    assert.ok(!isAlive(orphan));
    assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  });
}

test('below a folder that the postgres user cannot pass, root keeps the data elsewhere', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root runs Postgres as another user');
  const folder = testFolder();
  const home = join(folder, 'home');
  const dataDir = join(home, 'checkout', 'postgres');
  mkdirSync(join(home, 'checkout'), { recursive: true });
  chmodSync(home, 0o700);
  context.after(() => rmSync(shelterOf(dataDir), { recursive: true, force: true }));
  const [port] = (await freePorts(1)) as [number];
  const server = await startPostgres({ dataDir, port });
  context.after(() => server.stop());
  assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  assert.ok(existsSync(join(shelterOf(dataDir), 'data', 'PG_VERSION')));
  await server.restart();
  assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }]);
});
