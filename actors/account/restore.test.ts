import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantViolation, openedAccount } from './domain.ts';
import { accountLimits } from './limits.ts';
import { checkpointOf, restore } from './restore.ts';
import {
  burn,
  capture,
  due,
  earn,
  freeze,
  History,
  hold,
  load,
  recover,
  release,
  reverse,
  type Step,
  unfreeze,
} from './test/history.ts';
import { recordAt } from './test/records.ts';

const every = accountLimits.checkpointEvery;
const loads = (count: number): Step[] => Array.from({ length: count }, () => load(1));

/** Where restoring begins after each step. */
function bases(steps: readonly Step[]): (number | null)[] {
  return new History(steps).postings.map((posting) => posting.baseVersion);
}

function restoresEverywhere({ postings, states }: History): void {
  for (const [version, state] of states.entries()) {
    const record = recordAt(postings, version);
    assert.ok(record.tail.length < every);
    assert.deepEqual(restore(record), state);
  }
}

describe('restoring', () => {
  it('an unknown account gives the opened one', () => {
    assert.equal(restore(null), openedAccount);
    assert.deepEqual(restore({ base: null, tail: [], hash: null }), openedAccount);
  });

  it('begins at the row itself while that says it all', () => {
    assert.deepEqual(bases([load(9), burn(1), earn(1)]), [null, null, null]);
  });

  it('begins at the last row that said it all', () => {
    assert.deepEqual(bases([earn(9, 5)]), [0]);
    assert.deepEqual(bases([load(9), hold(1), load(1)]), [null, 1, 1]);
    assert.deepEqual(bases([load(9), freeze, due, unfreeze].filter((step) => step !== due)), [null, 1, null]);
    assert.deepEqual(bases([load(9), reverse(1, 1)]), [null, 1]);
    assert.deepEqual(bases([load(9), hold(9), release(2), hold(8), capture(4, 8)]), [null, 1, null, 3, null]);
    assert.deepEqual(bases([earn(9, 5), burn(9), earn(1)]), [0, null, null]);
  });

  it(`takes a checkpoint ${every} versions after where it began`, () => {
    const history = new History([load(9), hold(1), ...loads(2 * every)]);
    const checkpoints = history.postings.filter((posting) => posting.checkpoint !== null);
    assert.deepEqual(
      checkpoints.map((posting) => posting.version),
      [1 + every, 1 + 2 * every],
    );
    for (const posting of checkpoints) assert.equal(posting.baseVersion, posting.version);
    assert.equal(history.postings[every - 1]?.baseVersion, 1);
    assert.equal(history.postings[every + 1]?.baseVersion, 1 + every);
    restoresEverywhere(history);
  });

  it('at the opened account, when nothing else is there', () => {
    const history = new History([earn(9, 5), ...loads(every)]);
    assert.deepEqual(history.postings.map((posting) => posting.baseVersion).slice(every - 2), [0, every, every]);
    restoresEverywhere(history);
  });

  it('gives back everything that an account can have', () => {
    const history = new History([
      ...[earn(9, 5), earn(9, 7), hold(12, 7 * 86_400), load(4), hold(1), burn(6)],
      ...[capture(3, 5), reverse(2, null, recover), reverse(6, 4), 1, due, freeze],
    ]);
    const { lots, holds, reversals, owed, frozen } = history.state;
    assert.ok(lots.length > 0 && holds.length > 0 && reversals.length > 1 && owed > 0 && frozen);
    restoresEverywhere(history);
    const checkpoint = checkpointOf(history.state);
    const read = restore({ base: checkpoint, tail: [], hash: null });
    assert.deepEqual(read, { ...history.state, baseVersion: history.state.version });
    assert.equal(checkpointOf(read), checkpoint);
  });

  it('shares the empty lists', () => {
    const frozen = new History([freeze]).state;
    const read = restore({ base: checkpointOf(frozen), tail: [], hash: null });
    assert.ok(read.lots === openedAccount.lots && read.holds === openedAccount.holds);
    assert.ok(read.reversals === openedAccount.reversals);
    const emptied = new History([earn(9, 5), hold(9), release(2), burn(9)]).state;
    assert.ok(emptied.lots === openedAccount.lots && emptied.holds === openedAccount.holds);
  });

  it('asserts rows that do not follow from each other', () => {
    const { postings } = new History([load(9), hold(1), load(1), load(1)]);
    const record = recordAt(postings, 4);
    assert.throws(() => restore({ ...record, tail: record.tail.slice(1) }), InvariantViolation);
    assert.throws(() => restore({ ...record, tail: record.tail.toReversed() }), InvariantViolation);
    assert.throws(() => restore({ ...record, base: null }), InvariantViolation);
    const head = { version: 1, balance: 9, held: 1, lastAtMs: 0 };
    assert.throws(() => restore({ base: head, tail: [], hash: null }), InvariantViolation);
  });

  it('asserts a broken checkpoint', () => {
    const { state } = new History([earn(9, 5), hold(3, 9), load(4), reverse(3, 1)]);
    const sound = checkpointOf(state);
    const read = JSON.parse(sound);
    const [held] = read.holds;
    const broken = [
      '',
      'null',
      '[]',
      '{}',
      sound.slice(0, -1),
      ...[
        { extra: 1 },
        { version: '4' },
        { version: 1 },
        { balance: 1.5 },
        { balance: 7 },
        { held: 2 },
        { held: null },
        { last_at_ms: null },
        { frozen: 0 },
        { owed: -1 },
        { lots: null },
        { lots: [[5, 11]] },
        { lots: [[5, 0]] },
        { lots: [[5, 1, 1]] },
        { lots: [[5]] },
        {
          lots: [
            [6, 1],
            [5, 1],
          ],
        },
        { holds: [] },
        { holds: [held, held] },
        { holds: [[2, 3, 9, [[5, 4]]]] },
        { holds: [[2, 3, 9]] },
        { holds: [[2, 3, 9, [], 0]] },
        { holds: [[9, 3, 9, []]] },
        { reversals: [[3, 0]] },
        {
          reversals: [
            [3, 1],
            [3, 1],
          ],
        },
        { reversals: [[5, 1]] },
      ].map((change) => JSON.stringify({ ...read, ...change })),
    ];
    assert.doesNotThrow(() => restore({ base: sound, tail: [], hash: null }));
    for (const text of broken) {
      assert.throws(() => restore({ base: text, tail: [], hash: null }), InvariantViolation, text);
    }
  });
});
