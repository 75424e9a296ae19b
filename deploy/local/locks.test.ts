import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownIdentity } from './identities.ts';
import { takeLock } from './locks.ts';
import { testFolder } from './test-folder.ts';

test('a lock is held by one, and names its holder to the others', () => {
  const folder = testFolder();
  const path = join(folder, 'run', 'start.lock');
  const first = takeLock(path);
  assert.equal(first.kind, 'held');
  const second = takeLock(path);
  assert.ok(second.kind === 'taken');
  assert.deepEqual(second.holder, ownIdentity());
  if (first.kind === 'held') first.release();
  assert.equal(takeLock(path).kind, 'held');
});

test('the lock of a dead holder, of a recycled pid, or of nobody is taken over without a trace', () => {
  const folder = testFolder();
  const path = join(folder, 'start.lock');
  const own = ownIdentity();
  for (const text of ['', 'nonsense', JSON.stringify({ ...own, startTime: 'long ago' })]) {
    writeFileSync(path, text);
    const outcome = takeLock(path);
    assert.ok(outcome.kind === 'held', text);
    assert.deepEqual(readdirSync(folder), ['start.lock']);
    outcome.release();
    assert.ok(!existsSync(path));
  }
});
