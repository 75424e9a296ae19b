import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempts } from './attempts.ts';

test('tries until it is not overtaken, and says so when it always is', async () => {
  let tries = 0;
  const overtaken = (times: number) => async () => (++tries > times ? { tries } : null);
  assert.deepEqual(await attempts(4, overtaken(3)), { tries: 4 });
  tries = 0;
  await assert.rejects(attempts(4, overtaken(4)), { name: 'ProblemError', code: 'overloaded' });
  assert.equal(tries, 4);
  const broken = new Error('broken');
  await assert.rejects(
    attempts(4, () => Promise.reject(broken)),
    broken,
  );
});
