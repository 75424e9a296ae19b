/** What the boundary has to have refused, and what follows from no state: a bug, not a refusal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { apply, type Command, decide, InvariantViolation } from './domain.ts';
import { accountLimits } from './limits.ts';
import {
  adjust,
  burn,
  capture,
  earn,
  History,
  hold,
  load,
  negative,
  noonOf,
  programId,
  redeem,
  release,
  reverse,
  transferIn,
  transferOut,
} from './test/history.ts';

const most = limits.amountMax;

describe('the invariants of the account machine', () => {
  it('asserts what the boundary has to have refused', () => {
    const history = new History([earn(9)]);
    const { state } = history;
    const kinds = [earn(1), burn(1), load(1), redeem(1), adjust('in', 1), hold(1), transferOut(1), transferIn(1)];
    const unfit = [0, -1, 1.5, Number.NaN, most + 1].flatMap((amount) => [
      ...kinds.map((command) => ({ ...command, amount }) as Command),
      capture(1, amount),
      reverse(1, amount)(history.postings),
      reverse(1, null, negative(amount))(history.postings),
    ]);
    const others: Command[] = [
      earn(1, 0),
      earn(1, accountLimits.expiryDaysMax + 1),
      adjust('in', 1, 1.5),
      { kind: 'earn', amount: 1, programId, expiry: { period: 'months', count: 121, endOfMonth: false } },
      hold(1, 0),
      hold(1, accountLimits.holdSecondsMax + 1),
      transferIn(5, [[3, 6]]),
      transferIn(5, [
        [3, 1],
        [3, 1],
      ]),
      transferIn(5, [[3, -1]]),
      { ...reverse(1)(history.postings), original: { ...reverse(1)(history.postings).original, version: 2 } },
    ];
    for (const command of [...unfit, ...others]) {
      assert.throws(() => decide(state, command, noonOf(1)), InvariantViolation, JSON.stringify(command));
    }
  });

  it('I2: asserts a posting that does not follow from the state', () => {
    const { state } = new History([earn(5, 3), hold(2)]);
    const posted = (asked: Command) => {
      const decision = decide(state, asked, noonOf(0));
      assert.ok(decision.type === 'post');
      return decision.posting;
    };
    const earned = posted(earn(7));
    const wrong = [
      { ...earned, version: 4 },
      { ...earned, version: 2 },
      { ...earned, balanceAfter: 13 },
      { ...earned, balanceDelta: -7 },
      { ...earned, balanceDelta: 8, balanceAfter: 13 },
      { ...earned, amount: 0, balanceDelta: 0, balanceAfter: 5 },
      { ...earned, heldAfter: 1 },
      { ...earned, occurredAtMs: noonOf(0) - 1 },
      { ...earned, baseVersion: null },
      { ...earned, baseVersion: 4 },
      { ...earned, detail: { owed: 1 } },
      { ...earned, detail: { lots: [[3, 9]] } },
      { ...earned, detail: { lots: [[3, -4]] } },
      {
        ...earned,
        detail: {
          lots: [
            [9, 1],
            [8, 1],
          ],
        },
      },
      { ...posted(burn(3)), amount: 4, balanceDelta: -4, balanceAfter: 1 },
      { ...posted(burn(3)), detail: null },
      { ...posted(hold(3)), detail: null },
      { ...posted(hold(3)), detail: { lots: [[3, -4]], hold_expires_ms: 1 } },
      { ...posted(capture(2, 1)), detail: { hold: 1 } },
      { ...posted(capture(2, 1)), detail: { hold: 2, captured: [[3, 3]] } },
      { ...posted(release(2)), amount: 1, heldAfter: 1 },
    ];
    for (const posting of wrong) {
      assert.throws(() => apply(state, posting as typeof earned), InvariantViolation, JSON.stringify(posting));
    }
  });
});
