import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StartError } from './errors.ts';
import { identify, isAlive, ownIdentity, type ProcessIdentity, signalProcess } from './identities.ts';
import { endOrphan, endOrphansIn, startProcess } from './processes.ts';
import { testFolder } from './test-folder.ts';
import { waitUntil } from './waits.ts';

const patience = { timeoutMs: 20_000, everyMs: 20 };
const sleeper = ['-e', 'setInterval(() => undefined, 1_000)'];
const processesModule = fileURLToPath(new URL('processes.ts', import.meta.url));

function specIn(folder: string) {
  return {
    name: 'sleeper',
    command: process.execPath,
    args: sleeper,
    runDir: folder,
    logDir: folder,
    stopSignal: 'SIGTERM',
  } as const;
}

/** Another process starts the sleeper, and ends as it is told. */
async function ownedBy(folder: string, end: string): Promise<unknown[]> {
  const owner = `import { startProcess } from ${JSON.stringify(processesModule)};
    await startProcess(${JSON.stringify(specIn(folder))});
    ${end}`;
  return once(spawn(process.execPath, ['--input-type=module', '-e', owner], { stdio: 'inherit' }), 'exit');
}

function recordIn(folder: string): ProcessIdentity {
  return JSON.parse(readFileSync(join(folder, 'sleeper.json'), 'utf8')) as ProcessIdentity;
}

/** It is killed before it can end the sleeper. */
async function leaveOrphan(folder: string): Promise<ProcessIdentity> {
  const [, signal] = await ownedBy(folder, "process.kill(process.pid, 'SIGKILL');");
  assert.equal(signal, 'SIGKILL');
  const identity = identify(recordIn(folder).pid);
  assert.ok(identity !== null, 'the sleeper outlives its owner');
  return identity;
}

async function stranger(): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, sleeper, { stdio: 'ignore' });
  await once(child, 'spawn');
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { pid: number };
}

test('a process has a pid file and a log while it runs, and neither pid file nor process afterwards', async () => {
  const folder = testFolder();
  const running = await startProcess(specIn(folder));
  assert.ok(existsSync(join(folder, 'sleeper.json')));
  const exit = await running.stop('SIGTERM', 10_000);
  assert.equal(exit.signal, 'SIGTERM');
  assert.ok(running.hasExited());
  assert.ok(!existsSync(join(folder, 'sleeper.json')));
});

test('a process that ignores the polite signal is killed', async () => {
  const folder = testFolder();
  const deaf = "process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1_000); console.log('deaf')";
  const running = await startProcess({ ...specIn(folder), args: ['-e', deaf] });
  assert.ok(await waitUntil(() => readFileSync(running.logFile, 'utf8').includes('deaf'), patience));
  assert.equal((await running.stop('SIGTERM', 200)).signal, 'SIGKILL');
});

test('a program that does not exist is one sentence', async () => {
  const folder = testFolder();
  await assert.rejects(startProcess({ ...specIn(folder), command: join(folder, 'nothing') }), StartError);
});

test('P4: a process that exits takes along what it has not ended', async () => {
  const folder = testFolder();
  assert.deepEqual(await ownedBy(folder, 'process.exit(3);'), [3, null]);
  const { pid } = recordIn(folder);
  assert.ok(await waitUntil(() => identify(pid) === null, patience));
});

test('the orphan of a killed run is ended by the next one', async () => {
  const folder = testFolder();
  const orphan = await leaveOrphan(folder);
  assert.equal(await endOrphan(folder, 'sleeper'), 'ended');
  assert.ok(!isAlive(orphan));
  assert.equal(await endOrphan(folder, 'sleeper'), 'none');
});

test('all orphans of a folder are ended by their names, what a living run has started is left alone', async (context) => {
  const folder = testFolder();
  const orphan = await leaveOrphan(folder);
  const running = await startProcess({ ...specIn(folder), name: 'other' });
  context.after(() => running.stop('SIGKILL', 10_000));
  writeFileSync(join(folder, 'start.lock'), '');
  writeFileSync(join(folder, 'torn.json'), '{');
  assert.deepEqual(await endOrphansIn(folder), ['sleeper']);
  assert.ok(!isAlive(orphan) && !running.hasExited());
  assert.deepEqual(await endOrphansIn(join(folder, 'nothing')), []);
});

test('P1: a recycled pid is another process, and is left alone', async (context) => {
  const folder = testFolder();
  const child = await stranger();
  context.after(() => child.kill('SIGKILL'));
  const now = identify(child.pid);
  assert.ok(now !== null);
  const recycled = { pid: child.pid, startTime: `${now.startTime}0` };
  assert.equal(isAlive(recycled), false);
  assert.equal(signalProcess(recycled, 'SIGKILL'), false);
  const record = { ...recycled, command: ['sleeper'], stopSignal: 'SIGTERM', owner: recycled };
  writeFileSync(join(folder, 'sleeper.json'), JSON.stringify(record));
  assert.equal(await endOrphan(folder, 'sleeper'), 'none');
  assert.ok(isAlive(now), 'the stranger lives');
  assert.ok(!existsSync(join(folder, 'sleeper.json')), 'the record is gone');
});

test('P3: what a living run has started is no orphan', async (context) => {
  const folder = testFolder();
  const running = await startProcess(specIn(folder));
  context.after(() => running.stop('SIGKILL', 10_000));
  await assert.rejects(endOrphan(folder, 'sleeper'), new RegExp(`started by process ${process.pid}`));
  assert.ok(!running.hasExited());
});

test('a pid file that is torn identifies nobody', async () => {
  const folder = testFolder();
  for (const text of ['', '{', '{"pid":1}', `{"pid":${process.pid},"startTime":7}`]) {
    writeFileSync(join(folder, 'sleeper.json'), text);
    assert.equal(await endOrphan(folder, 'sleeper'), 'none');
  }
});

test('a process finds itself, and a dead pid has no identity', async () => {
  assert.ok(isAlive(ownIdentity()));
  const child = await stranger();
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(identify(child.pid), null);
});
