/** The hostile histories find the bugs that somebody could write: each is put into a copy of actors, and has to be found. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInMutant } from '../simulator/mutate.ts';
import type { Mutation } from '../simulator/mutations.ts';

const transfers = 'transfers/transfers.ts';
const steps = 'transfers/steps.ts';

const mutations: readonly Mutation[] = [
  {
    name: 'T4: forgets to bring back what was refused',
    file: transfers,
    find: "if (back.type !== 'posted') return this.#left(departure, 'return', back.type);",
    replace: '',
  },
  {
    name: 'T4: brings back what may still arrive',
    file: transfers,
    find: "if (arrival.type !== 'refused') return",
    replace: "if (arrival.type !== 'refused' && arrival.type !== 'unavailable') return",
  },
  {
    name: 'T3: forgets the open row',
    file: 'stores/memory.ts',
    find: 'if (isDeparture(row)) this.#open.set',
    replace: 'if (row === null) this.#open.set',
  },
  {
    name: 'T5: closes before the arrival',
    file: transfers,
    find: 'const settled = await this.#finish(outcome, request.deadlineMs);',
    replace: 'this.#close(outcome.row); const settled = await this.#finish(outcome, request.deadlineMs);',
  },
  {
    name: 'T5: the sweep does not close',
    file: 'transfers/sweep.ts',
    find: 'await close(transfer.row);',
    replace: '',
  },
  {
    name: 'T1: an arrival under a new key each time',
    file: steps,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source
    find: 'return `transfer ${from} ${key}` as',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the mutant
    replace: 'return `transfer ${from} ${key} ${Math.random()}` as',
  },
  {
    name: 'T2: takes a replayed departure for the end',
    file: transfers,
    find: "outcome.type !== 'posted' || !isDeparture",
    replace: "outcome.type !== 'posted' || outcome.replayed || !isDeparture",
  },
  {
    name: 'T6: tells the client that a refused transfer was posted',
    file: transfers,
    find: "return { type: 'refused', row: settled.refusal, replayed: outcome.replayed };",
    replace: 'return { ...outcome, also: [] };',
  },
  {
    name: 'moves points without their lots',
    file: steps,
    find: 'posting.amount, lots?.map(negated))',
    replace: 'posting.amount)',
  },
  {
    name: 'a frozen account does not take back what is its own',
    file: 'account/guards.ts',
    find: 'return: {},',
    replace: 'return: { account_frozen: isFrozen },',
  },
];

/** Of the test's own runner: the copy's is told by its exit code. */
const env = { NODE_TEST_CONTEXT: undefined, SEED: '1', HISTORIES: '6' };
const args = ['actors/transfers/histories.test.ts'];
const skip = 'Deno' in globalThis ? 'the copies run on Node' : false;

describe('the histories of transfers find', { concurrency: 2, skip }, () => {
  it('nothing in a copy as it is', async () => {
    const { exitCode, output } = await runInMutant(null, args, env);
    assert.equal(exitCode, 0, output);
  });

  for (const mutation of mutations) {
    it(mutation.name, async () => {
      const { exitCode, output } = await runInMutant(mutation, args, env);
      assert.equal(exitCode, 1, output);
      assert.match(output, /SEED=\d+: /);
    });
  }
});
