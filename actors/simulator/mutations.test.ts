import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COVERING_SEEDS } from './campaign.ts';
import { runMutant } from './mutate.ts';
import { mutations } from './mutations.ts';

/** The copies run on Node; what they prove is the same anywhere. */
const skip = 'Deno' in globalThis ? 'the copies run on Node' : false;

describe('the simulator finds', { concurrency: 2, skip }, () => {
  it('nothing in a copy as it is', async () => {
    const { exitCode, output } = await runMutant(null, 100);
    assert.equal(exitCode, 0, output);
  });

  for (const mutation of mutations) {
    it(mutation.name, async () => {
      const { exitCode, output } = await runMutant(mutation, COVERING_SEEDS);
      assert.equal(exitCode, 1, output);
      // By what it does to money or to its clients, not by falling over.
      assert.match(output, /^seed \d+ failed: (I[1-7]|L): /m);
    });
  }

  it('a mutation that has gone stale', async () => {
    const stale = { name: 'stale', file: 'index.ts', find: 'nothing has this text', replace: '' };
    await assert.rejects(runMutant(stale, 1), /stale mutation "stale"/);
  });
});
