/** The network on the real kernel, where it can be made; what runs inside is `test/vanish.ts`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { findWorld, runInside } from './world.ts';

const run = promisify(execFile);
const world = await findWorld();
const at = (file: string): string => join(import.meta.dirname, 'test', file);

const skip = 'missing' in world ? world.missing : false;

describe('a network of namespaces', () => {
  it('loses packets where it is cut, tells nobody, and delivers what is sent again once it is healed', {
    skip,
  }, async () => {
    assert.ok(!('missing' in world));
    const [command = '', ...args] = [...world.within, process.execPath, at('vanish.ts')];
    // It is a test file of its own, not a part of this one's report.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = await run(command, args, { env });
    assert.match(stdout, /pass 5\b/);
  });

  it('leaves no link and no namespace behind', { skip }, async () => {
    assert.ok(!('missing' in world));
    const before = await run('ip', ['-oneline', 'link']);
    const [command = '', ...args] = [...world.within, process.execPath, at('killed.ts')];
    const child = run(command, args);
    await assert.rejects(child, { signal: 'SIGKILL' });
    const after = await run('ip', ['-oneline', 'link']);
    assert.deepEqual(namesOf(after.stdout), namesOf(before.stdout));
  });
});

describe('a world of its own', () => {
  it('is not to be had without the means, and says so in words', async () => {
    const entry = JSON.stringify(join(import.meta.dirname, 'world.ts'));
    const ask = `import { findWorld } from ${entry}; console.log(JSON.stringify(await findWorld()));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', ask], { env: { PATH: '/nowhere' } });
    const { missing } = JSON.parse(stdout) as { missing: string };
    assert.equal(missing, 'network namespaces cannot be made here (spawn unshare ENOENT)');
  });

  it('passes the exit code on, and ends what runs inside with the signal', async () => {
    const stop = new AbortController();
    const running = runInside({ within: [] }, at('leaves.ts'), ['7'], stop.signal);
    stop.abort();
    assert.equal(await running, 7);
  });
});

function namesOf(links: string): string[] {
  return links.split('\n').map((line) => line.split(':')[1] ?? '');
}
