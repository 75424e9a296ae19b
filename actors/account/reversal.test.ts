import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountLimits } from './limits.ts';
import type { Command } from './model.ts';
import {
  adjust,
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
  type Row,
  recover,
  redeem,
  release,
  reverse,
  type Step,
  toTheLimit,
  transactionIdOf,
  transferIn,
  transferOut,
  unfreeze,
} from './test/history.ts';

const indebted: readonly Step[] = [earn(9), burn(9), reverse(1, null, recover)];
const threeSources: readonly Step[] = [load(3), earn(2, 3), earn(2, 5)];
const manyReversals: readonly Step[] = [
  ...Array.from({ length: accountLimits.reversalsMax + 1 }, () => load(2)),
  ...Array.from({ length: accountLimits.reversalsMax }, (_, index) => reverse(index + 1, 1)),
];

const incoming: readonly Row[] = [
  ['an earn', [earn(5)], reverse(1), '-5 → 0/0 issued {"reverses":1}'],
  ['a part of it', [earn(5)], reverse(1, 2), '-2 → 3/0 issued {"reverses":1}'],
  ['the rest of it', [earn(5), reverse(1, 2)], reverse(1), '-3 → 0/0 issued {"reverses":1}'],
  ['with its reason', [earn(5)], reverse(1, 5, recover, 'why'), '-5 → 0/0 issued {"reverses":1,"reason":"why"}'],
  ['a load', [load(5)], reverse(1), '-5 → 0/0 issued {"reverses":1}'],
  ['what an adjustment put in', [adjust('in', 5)], reverse(1), '-5 → 0/0 adjusted {"reverses":1}'],
  ['of a frozen account', [earn(5), freeze], reverse(1), '-5 → 0/0 frozen issued {"reverses":1}'],
  [
    'from its own lot first',
    [earn(5, 3), earn(5, 9)],
    reverse(2),
    '-5 → 5/0 3:5 issued {"lots":[[9,-5]],"reverses":2}',
  ],
  [
    'then first-expiring first, then what never expires',
    [earn(5, 3), earn(5, 9), load(2), burn(7), earn(1, 4)],
    reverse(2),
    '-5 → 1/0 issued {"lots":[[4,-1],[9,-3]],"reverses":2}',
  ],
  ['not more than is there', [earn(5), burn(1)], reverse(1), 'insufficient_funds'],
  ['a part that is there', [earn(5), burn(1)], reverse(1, 4), '-4 → 0/0 issued {"reverses":1}'],
  ['not what is held', [earn(5), hold(1)], reverse(1), 'insufficient_funds'],
  ['not from a lot whose day is over', [earn(5, 3), 4], reverse(1), 'insufficient_funds'],
];

const overdrawing: readonly Row[] = [
  ['to its limit', [earn(5), burn(3)], reverse(1, null, negative(3)), '-5 → -3/0 issued {"reverses":1}'],
  ['not past its limit', [earn(5), burn(3)], reverse(1, null, negative(2)), 'insufficient_funds'],
  ['all that is held counts', [earn(9), hold(4)], reverse(1, null, negative(3)), 'insufficient_funds'],
  ['so far with a hold', [earn(9), hold(4)], reverse(1, null, negative(4)), '-9 → 0/4 issued {"reverses":1}'],
  [
    'further from below zero',
    [earn(5), earn(5), burn(10), reverse(1, null, negative(9))],
    reverse(2, 4, negative(9)),
    '-4 → -9/0 issued {"reverses":2}',
  ],
  [
    'all lots go',
    [earn(5, 3), earn(5, 4), burn(6), earn(1, 9)],
    reverse(1, null, negative(9)),
    '-5 → 0/0 issued {"lots":[[4,-4],[9,-1]],"reverses":1}',
  ],
  [
    'lots whose day is over go last, so that no expiry is left to overdraw',
    [earn(5, 1), earn(5, 3), load(1), 2],
    reverse(2, null, negative(9)),
    '-5 → 6/0 1:5 issued {"lots":[[3,-5]],"reverses":2}',
  ],
  [
    'and only as far as they must',
    [earn(5, 1), earn(5, 3), burn(5), load(1), 4],
    reverse(2, null, negative(9)),
    '-5 → 1/0 3:1 issued {"lots":[[3,-4]],"reverses":2}',
  ],
  ['not needed', [earn(5)], reverse(1, null, negative(1)), '-5 → 0/0 issued {"reverses":1}'],
];

const recovering: readonly Row[] = [
  ['the rest is owed', [earn(5), burn(3)], reverse(1, null, recover), '-2 → 0/0 owes 3 issued {"reverses":1,"owed":3}'],
  ['all of it', [earn(5), burn(5)], reverse(1, null, recover), '0 → 0/0 owes 5 issued {"reverses":1,"owed":5}'],
  [
    'leaves what is held',
    [earn(5), hold(3)],
    reverse(1, null, recover),
    '-2 → 3/3 owes 3 issued {"reverses":1,"owed":3}',
  ],
  [
    'leaves a lot whose day is over to its expiry',
    [earn(5, 3), 4],
    reverse(1, null, recover),
    '0 → 5/0 3:5 owes 5 issued {"reverses":1,"owed":5}',
  ],
  [
    'from below zero takes nothing',
    [earn(5), earn(5), burn(10), reverse(1, null, negative(5))],
    reverse(2, null, recover),
    '0 → -5/0 owes 5 issued {"reverses":2,"owed":5}',
  ],
];

/** The fourth transaction is an earn that paid 9 of debt. */
const paidBack: readonly Row[] = [
  ['first what it brought', [...indebted, earn(12)], reverse(4, 2), '-2 → 1/0 issued {"reverses":4}'],
  ['then what it paid', [...indebted, earn(12)], reverse(4, 5), '-3 → 0/0 owes 2 issued {"reverses":4,"owed":2}'],
  [
    'in parts as at once',
    [...indebted, earn(12), reverse(4, 2), reverse(4, 4)],
    reverse(4),
    '0 → 0/0 owes 9 issued {"reverses":4,"owed":6}',
  ],
  [
    'from its lot',
    [...indebted, earn(12, 5), load(8)],
    reverse(4),
    '-3 → 8/0 owes 9 issued {"lots":[[5,-3]],"reverses":4,"owed":9}',
  ],
  [
    'what paid debt only takes nothing',
    [...indebted, earn(9)],
    reverse(4),
    '0 → 0/0 owes 9 issued {"reverses":4,"owed":9}',
  ],
  [
    'nor of points from elsewhere',
    [...indebted, earn(9), load(7)],
    reverse(4, 3),
    '0 → 7/0 owes 3 issued {"reverses":4,"owed":3}',
  ],
  [
    'also from below zero',
    [...indebted, earn(9), earn(5), burn(5), reverse(5, null, negative(5))],
    reverse(4, 3),
    '0 → -5/0 owes 3 issued {"reverses":4,"owed":3}',
  ],
  ['what it brought has to be there', [...indebted, earn(12), burn(1)], reverse(4), 'insufficient_funds'],
  [
    'or is owed too',
    [...indebted, earn(12), burn(1)],
    reverse(4, null, recover),
    '-2 → 0/0 owes 10 issued {"reverses":4,"owed":10}',
  ],
];

const outgoing: readonly Row[] = [
  ['a burn', [earn(5), burn(5)], reverse(2), '5 → 5/0 redeemed {"reverses":2}'],
  ['a redemption', [earn(5), redeem(4)], reverse(2, 3), '3 → 4/0 redeemed {"reverses":2}'],
  ['what an adjustment took', [earn(5), adjust('out', 4)], reverse(2), '4 → 5/0 adjusted {"reverses":2}'],
  ['a capture', [earn(5), hold(4), capture(2, 3)], reverse(3), '3 → 5/1 redeemed {"reverses":3}'],
  ['of a frozen account', [earn(5), burn(5), freeze], reverse(2), '5 → 5/0 frozen redeemed {"reverses":2}'],
  ['pays no debt', [earn(9), burn(9), reverse(1, null, recover)], reverse(2), '9 → 9/0 owes 9 redeemed {"reverses":2}'],
  ['the last points first', [...threeSources, burn(6)], reverse(4, 1), '1 → 2/0 redeemed {"reverses":4}'],
  [
    'on where the part before stopped',
    [...threeSources, burn(6), reverse(4, 1)],
    reverse(4, 2),
    '2 → 4/0 5:1 redeemed {"lots":[[5,1]],"reverses":4}',
  ],
  [
    'to the end',
    [...threeSources, burn(6), reverse(4, 1), reverse(4, 2)],
    reverse(4),
    '3 → 7/0 3:2 5:2 redeemed {"lots":[[3,2],[5,1]],"reverses":4}',
  ],
  [
    'a capture gives back to the lots of its hold',
    [...threeSources, hold(6), capture(4, 3), capture(4, 2)],
    reverse(5, 2),
    '2 → 4/1 3:1 5:1 redeemed {"lots":[[3,1],[5,1]],"reverses":5}',
  ],
  [
    'and not what it released',
    [...threeSources, hold(6), capture(4, 1, true)],
    reverse(5),
    '1 → 7/0 3:2 5:2 redeemed {"lots":[[3,1]],"reverses":5}',
  ],
  [
    'to a lot whose day is over',
    [earn(5, 1), burn(5), 3],
    reverse(2),
    '5 → 5/0 1:5 redeemed {"lots":[[1,5]],"reverses":2}',
  ],
  [
    'below zero, which is made up first',
    [earn(9, 5), burn(9), reverse(1, null, negative(9))],
    reverse(2),
    '9 → 0/0 redeemed {"reverses":2}',
  ],
  ['not past the limit', [load(5), burn(5), ...toTheLimit(0)], reverse(2), 'balance_limit_exceeded'],
];

const refused: readonly Row[] = [
  ...([hold(1), transferOut(1), transferIn(1), freeze] satisfies Command[]).map(
    (command): Row => [`a ${command.kind}`, [earn(5), command], reverse(2), 'not_reversible'],
  ),
  ['a release', [earn(5), hold(1), release(2)], reverse(3), 'not_reversible'],
  ['an expiry', [earn(5, 1), 2, due], reverse(2), 'not_reversible'],
  ['a reversal', [earn(5), reverse(1, 2)], reverse(2), 'not_reversible'],
  ['an unfreezing', [freeze, unfreeze], reverse(2), 'not_reversible'],
  ['more than the original', [earn(5), load(5)], reverse(1, 6), 'reversal_exceeds_original'],
  ['more than its rest', [earn(5), load(5), reverse(1, 2)], reverse(1, 4), 'reversal_exceeds_original'],
  ['when nothing is left', [earn(5), load(5), reverse(1)], reverse(1), 'reversal_exceeds_original'],
  ['what cannot be, before how much', [earn(5), hold(1)], reverse(2, 9), 'not_reversible'],
  ['how much, before what is there', [earn(5), burn(5)], reverse(1, 6), 'reversal_exceeds_original'],
  ['one too many', manyReversals, reverse(accountLimits.reversalsMax + 1, 1), 'reversals_limit_exceeded'],
  ['how much, before how many', manyReversals, reverse(accountLimits.reversalsMax + 1, 3), 'reversal_exceeds_original'],
];

const groups: Readonly<Record<string, readonly Row[]>> = {
  'of what came in takes points': incoming,
  'under the policy negative': overdrawing,
  'under the policy recover': recovering,
  'of an earn that paid back debt': paidBack,
  'of what went out gives points back': outgoing,
  'is refused': refused,
};

describe('a reversal', () => {
  describeRows(groups);

  it('goes on where one was begun, however many there are', () => {
    const history = new History(manyReversals);
    assert.equal(history.post(reverse(7)).balanceDelta, -1);
    assert.equal(history.state.reversals.length, accountLimits.reversalsMax);
  });

  it('that takes nothing has the delta 0, not −0', () => {
    const { balanceDelta } = new History([earn(5), burn(5)]).post(reverse(1, null, recover));
    assert.ok(Object.is(balanceDelta, 0));
  });

  it('names what it reverses', () => {
    assert.equal(new History([earn(5)]).post(reverse(1, 2)).reversalOf, transactionIdOf(1));
  });
});
