import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { childrenCpuS, readTrees } from './processor-time.ts';

/** Works for so much processor time, says so, and stays. */
const worker = `while (process.cpuUsage().user < 200_000);
process.stdout.write('done');
setInterval(() => undefined, 1_000);`;

const skip = process.platform === 'linux' ? false : '/proc is needed';

test('of a process, those children count that are meant; of its tree, all', { skip }, async () => {
  const name = randomUUID();
  const child = spawn(process.execPath, ['-e', worker, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const tree = readTrees([process.pid]).get(process.pid);
    assert.ok(tree !== undefined);
    const meantS = childrenCpuS(tree, (commandLine) => commandLine.includes(name));
    assert.ok(meantS >= 0.19, `${meantS} s`);
    const otherS = childrenCpuS(tree, () => false);
    assert.equal(otherS, 0);
    assert.ok(tree.cpuS >= meantS);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});
