import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

const module = pathToFileURL(`${import.meta.dirname}/stop-signals.ts`).href;
/** Ends its servers, which takes it until its parent says so. */
const program = `
  import { onStopSignal } from ${JSON.stringify(module)};
  const idle = setInterval(() => undefined, 1_000);
  onStopSignal((signal) => {
    console.log('heard ' + signal);
    process.stdin.once('data', () => {
      console.log('ended');
      clearInterval(idle);
      process.stdin.destroy();
    });
  });
  console.log('ready');
`;

describe('a program that is asked to end', () => {
  it('hears the first signal only, and ends when it is done', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let said = '';
    const until = async (text: string): Promise<void> => {
      while (!said.includes(text)) said += String((await once(child.stdout, 'data'))[0]);
    };
    await until('ready\n');
    child.kill('SIGTERM');
    await until('heard SIGTERM\n');
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) assert.ok(child.kill(signal));
    child.stdin.write('go on\n');
    await until('ended\n');
    assert.deepEqual(await ended, [0, null]);
    assert.equal(said, 'ready\nheard SIGTERM\nended\n');
  });
});
