import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { type Command, type CommandKind, decide } from './domain.ts';
import { accountLimits } from './limits.ts';
import {
  burn,
  capture,
  describeRows,
  due,
  earn,
  freeze,
  History,
  hold,
  load,
  negative,
  noonOf,
  type Row,
  release,
  reverse,
  type Step,
} from './test/history.ts';

const most = limits.amountMax;

const promised = (version: number): Command => ({ ...capture(version, null), promised: true }) as Command;

function holdsUpTo(count: number): Step[] {
  return [earn(2 * count), ...Array.from({ length: count }, () => hold(1))];
}

const cases: Readonly<Partial<Record<CommandKind, readonly Row[]>>> = {
  hold: [
    ['sets aside', [earn(5)], hold(5), '0 → 5/5 redeemed {"hold_expires_ms":46800000}'],
    ['takes no more', [earn(5), hold(3)], hold(3), 'insufficient_funds'],
    [
      'takes what expires first out of the lots',
      [load(5), earn(5, 9), earn(5, 3)],
      hold(7),
      '0 → 15/7 9:3 redeemed {"lots":[[3,-5],[9,-2]],"hold_expires_ms":46800000}',
    ],
    ['takes nothing of a lot whose day is over', [earn(5, 3), 4], hold(1), 'insufficient_funds'],
    ['not of a frozen account', [freeze], hold(1), 'account_frozen'],
    ['as many as there may be', holdsUpTo(accountLimits.holdsMax), hold(1), 'holds_limit_exceeded'],
    ['their number comes before the balance', holdsUpTo(accountLimits.holdsMax), hold(most), 'holds_limit_exceeded'],
    ['frozen comes before their number', [...holdsUpTo(accountLimits.holdsMax), freeze], hold(1), 'account_frozen'],
    [
      'again when one is gone',
      [...holdsUpTo(accountLimits.holdsMax), release(2)],
      hold(1),
      '0 → 2000/1000 redeemed {"hold_expires_ms":46800000}',
    ],
  ],
  capture: [
    ['takes all that is held', [earn(5), hold(4)], capture(2, null), '-4 → 1/0 redeemed {"hold":2}'],
    ['takes a part', [earn(5), hold(4)], capture(2, 3), '-3 → 2/1 redeemed {"hold":2}'],
    ['takes the rest', [earn(5), hold(4), capture(2, 3)], capture(2, null, true), '-1 → 1/0 redeemed {"hold":2}'],
    [
      'the final one releases the rest',
      [earn(5), hold(4)],
      capture(2, 3, true),
      '-3 → 2/0 redeemed {"hold":2,"released":1}',
    ],
    [
      'takes what expires first, and the rest goes back to its lots',
      [load(1), earn(2, 3), earn(2, 5), hold(5)],
      capture(4, 3, true),
      '-3 → 2/0 5:1 redeemed {"lots":[[5,1]],"hold":4,"released":2,"captured":[[3,2],[5,1]]}',
    ],
    [
      'takes points whose day ended while they were held',
      [earn(5, 1), hold(5, 7 * 86_400), 3],
      capture(2, 2),
      '-2 → 3/3 redeemed {"hold":2,"captured":[[1,2]]}',
    ],
    [
      'makes up a balance below zero with what it releases',
      [earn(9, 5), hold(5), reverse(1, null, negative(9))],
      capture(2, 2, true),
      '-2 → -2/0 redeemed {"hold":2,"released":3,"captured":[[5,2]]}',
    ],
    ['no more than is held', [earn(9), hold(4)], capture(2, 5), 'capture_exceeds_hold'],
    ['no more than is left', [earn(9), hold(4), capture(2, 3)], capture(2, 2), 'capture_exceeds_hold'],
    ['not when nothing is left', [earn(9), hold(4), capture(2, 4)], capture(2, 1), 'hold_closed'],
    ['not when it is released', [earn(9), hold(4), release(2)], capture(2, 1), 'hold_closed'],
    ['not when it is expired, posted or not', [earn(9), hold(4), 1], capture(2, 1), 'hold_closed'],
    ['not what was no hold', [earn(9), hold(4)], capture(1, 1), 'hold_closed'],
    ['closed comes before the amount', [earn(9), hold(4), 1], capture(2, 5), 'hold_closed'],
    ['not of a frozen account', [earn(9), hold(4), freeze, 1], capture(2, 5), 'account_frozen'],
    [
      'what was promised also of a frozen one',
      [earn(9), hold(4), freeze],
      promised(2),
      '-4 → 5/0 frozen redeemed {"hold":2}',
    ],
    ['nothing promised when it is expired', [earn(9), hold(4), freeze, 1], promised(2), 'hold_closed'],
  ],
  release: [
    ['gives all back', [earn(5), hold(4)], release(2), '0 → 5/0 redeemed {"hold":2}'],
    [
      'gives back to the same lots',
      [load(1), earn(2, 3), earn(4, 5), hold(4), earn(1, 3)],
      release(4),
      '0 → 8/0 3:3 5:4 redeemed {"lots":[[3,2],[5,2]],"hold":4}',
    ],
    [
      'gives back what a capture left',
      [load(1), earn(2, 3), earn(4, 5), hold(4), capture(4, 3)],
      release(4),
      '0 → 4/0 5:3 redeemed {"lots":[[5,1]],"hold":4}',
    ],
    [
      'gives back to a lot whose day is over',
      [earn(5, 1), hold(5, 7 * 86_400), 3],
      release(2),
      '0 → 5/0 1:5 redeemed {"lots":[[1,5]],"hold":2}',
    ],
    [
      'makes up a balance below zero, the first-expiring points first',
      [earn(5, 1), earn(4, 2), hold(9), earn(9), burn(9), reverse(4, 6, negative(9))],
      release(3),
      '0 → 3/0 2:3 redeemed {"lots":[[2,3]],"hold":3}',
    ],
    ['one whose time is over', [earn(5), hold(4), 9], release(2), '0 → 5/0 redeemed {"hold":2}'],
    ['of a frozen account too', [earn(5), hold(4), freeze], release(2), '0 → 5/0 frozen redeemed {"hold":2}'],
    ['not twice', [earn(5), hold(4), release(2)], release(2), 'hold_closed'],
  ],
  due: [
    ['nothing', [earn(5), load(5)], due, 'nothing_due'],
    ['not before its moment', [earn(5, 1), hold(1), earn(4, 3)], due, 'nothing_due'],
    ['not on the last day of a lot', [earn(5, 1), 1], due, 'nothing_due'],
    ['a lot whose day is over', [earn(5, 1), load(2), 2], due, '-5 → 2/0 expired {"lots":[[1,-5]],"due":true}'],
    [
      'all lots whose day is over at once',
      [earn(5, 1), earn(4, 2), earn(3, 3), 3],
      due,
      '-9 → 3/0 3:3 expired {"lots":[[1,-5],[2,-4]],"due":true}',
    ],
    ['a hold', [earn(5), hold(2), 1], due, '0 → 5/0 redeemed {"hold":2,"due":true}'],
    ['the earliest hold', [earn(5), hold(2, 99), hold(1, 7), 1], due, '0 → 5/2 redeemed {"hold":3,"due":true}'],
    [
      'holds before lots',
      [earn(5, 1), hold(2, 99), 9],
      due,
      '0 → 5/0 1:5 redeemed {"lots":[[1,2]],"hold":2,"due":true}',
    ],
    ['what a hold gave back', [earn(5, 1), hold(2, 99), 9, due], due, '-5 → 0/0 expired {"lots":[[1,-5]],"due":true}'],
    [
      'no more at once than one posting may move',
      [earn(most - 3, 1), earn(2, 2), earn(9, 3), 9],
      due,
      `${-most} → 8/0 3:8 expired {"lots":[[1,${3 - most}],[2,-2],[3,-1]],"due":true}`,
    ],
    ['of a frozen account too', [earn(5, 1), freeze, 2], due, '-5 → 0/0 frozen expired {"lots":[[1,-5]],"due":true}'],
  ],
};

describe('holds, and what time makes due', () => {
  describeRows(cases);

  it('says what is due, and only when it changes', () => {
    const history = new History();
    const dues = [earn(9, 5), earn(1), hold(2, 99), release(3), burn(10)].map((asked) => history.post(asked).due);
    const [lotMs, holdMs] = [6 * 86_400_000, noonOf(0) + 99_000];
    assert.deepEqual(dues, [{ atMs: lotMs }, null, { atMs: holdMs }, { atMs: lotMs }, { atMs: null }]);
  });

  it('a hold and a lot end at their very moment, for every command alike', () => {
    const history = new History([earn(5, 1), earn(2), hold(1, 60), hold(1, 3 * 86_400)]);
    const moments = [history.nowMs + 60_000, 2 * 86_400_000] as const;
    const outcomes = (asked: Command, atMs: number) =>
      [atMs - 1, atMs].map((nowMs) => {
        const decision = decide(history.state, asked, nowMs);
        return decision.type === 'refuse' ? decision.code : decision.posting.kind;
      });
    assert.deepEqual(outcomes(due, moments[0]), ['nothing_due', 'release']);
    assert.deepEqual(outcomes(capture(3, 1), moments[0]), ['capture', 'hold_closed']);
    history.nowMs = moments[0];
    history.post(due);
    assert.deepEqual(outcomes(due, moments[1]), ['nothing_due', 'expire']);
    assert.deepEqual(outcomes(burn(3), moments[1]), ['burn', 'insufficient_funds']);
  });
});
