import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { foreverMs } from './counters.ts';
import { type CommandKind, InvariantViolation } from './domain.ts';
import { accountLimits } from './limits.ts';
import {
  adjust,
  burn,
  clear,
  decline,
  describeRows,
  earn,
  freeze,
  giveBack,
  grant,
  History,
  hold,
  load,
  negative,
  noonOf,
  partner,
  purchase,
  type Row,
  recover,
  redeem,
  refund,
  reverse,
  rulesId,
  toTheLimit,
  transferAcross,
  transferIn,
  transferOut,
  unfreeze,
} from './test/history.ts';

const max = limits.balanceMax;
const most = limits.amountMax;
const to = `"partner":"${partner}"`;

/** A cap of a day that is that many days from the first. */
const aDay = (points: number, day = 0) => ['a/day', day, points] as const;
/** How counters grew: by name, last day of the window, points; and that of purchases. */
const counted = (purchases: number, ...grown: readonly (readonly [string, number, number])[]): string => {
  const counters = grown.map(([name, day, by]) => [name, (day + 1) * 86_400_000, by]);
  return `"rules":"${rulesId}","counters":${JSON.stringify([...counters, ['purchases', foreverMs, purchases]])}`;
};
/** 9 below zero. */
const overdrawn = [earn(9), burn(9), reverse(1, null, negative(9))];
const fullOfCounters = [
  purchase(Array.from({ length: accountLimits.countersMax - 1 }, (_, index) => grant(1, [`${index}/day`, 0, 2]))),
];

/** Those of holds, of what is due, and of reversals have files of their own. */
const cases: Readonly<
  Record<Exclude<CommandKind, 'hold' | 'capture' | 'release' | 'due' | 'reverse'>, readonly Row[]>
> = {
  earn: [
    ['opens the account', [], earn(1), '1 → 1/0 issued'],
    ['takes the largest amount', [], earn(most), `${most} → ${most}/0 issued`],
    ['makes a lot', [], earn(10, 5), '10 → 10/0 5:10 issued {"lots":[[5,10]]}'],
    ['merges into the lot of its day', [earn(10, 5), 2], earn(7, 3), '7 → 17/0 5:17 issued {"lots":[[5,7]]}'],
    ['puts lots in order', [earn(1, 5), earn(2, 9)], earn(4, 7), '4 → 7/0 5:1 7:4 9:2 issued {"lots":[[7,4]]}'],
    ['leaves the holds', [earn(5), hold(5)], earn(7), '7 → 12/5 issued'],
    ['reaches the limit', toTheLimit(7), earn(7), `7 → ${max}/0 issued`],
    ['does not pass the limit', toTheLimit(7), earn(8), 'balance_limit_exceeded'],
    [
      'pays a part of the debt',
      [earn(9), burn(9), reverse(1, null, recover)],
      earn(4),
      '0 → 0/0 owes 5 issued {"owed":4}',
    ],
    ['pays the debt', [earn(9), burn(9), reverse(1, null, recover)], earn(9), '0 → 0/0 issued {"owed":9}'],
    [
      'pays the debt, and its lot gets the rest',
      [earn(9), burn(9), reverse(1, null, recover)],
      earn(12, 5),
      '3 → 3/0 5:3 issued {"lots":[[5,3]],"owed":9}',
    ],
    [
      'makes up a balance below zero before its lot gets anything',
      [earn(9), burn(9), reverse(1, null, negative(9))],
      earn(12, 5),
      '12 → 3/0 5:3 issued {"lots":[[5,3]]}',
    ],
    ['has no lot below zero', [earn(9), burn(9), reverse(1, null, negative(9))], earn(9, 5), '9 → 0/0 issued'],
    ['not into a frozen account', [freeze], earn(1), 'account_frozen'],
    ['frozen comes before the limit', [...toTheLimit(0), freeze], earn(1), 'account_frozen'],
  ],
  purchase: [
    ['earns what its grants are', [], purchase([grant(5), grant(7)]), `12 → 12/0 issued {${counted(1)}}`],
    ['makes a lot', [], purchase([grant(5)], [], 9), `5 → 5/0 9:5 issued {"lots":[[9,5]],${counted(1)}}`],
    [
      'earns less once it is not the first',
      [purchase([grant(5)])],
      purchase([grant(5)], [grant(3)]),
      `3 → 8/0 issued {${counted(1)}}`,
    ],
    ['is the first after plain earns', [earn(1)], purchase([grant(5)], [grant(3)]), `5 → 6/0 issued {${counted(1)}}`],
    ['is stopped by a cap', [], purchase([grant(9, aDay(6))]), `6 → 6/0 issued {${counted(1, ['a/day', 0, 6])}}`],
    [
      'gets what a cap has left',
      [purchase([grant(4, aDay(6))])],
      purchase([grant(9, aDay(6))]),
      `2 → 6/0 issued {${counted(1, ['a/day', 0, 2])}}`,
    ],
    ['gets nothing of a full cap', [purchase([grant(6, aDay(6))])], purchase([grant(9, aDay(6))]), 'nothing_earned'],
    [
      'gets nothing of a cap that was lowered since',
      [purchase([grant(6, aDay(6))])],
      purchase([grant(9, aDay(5))]),
      'nothing_earned',
    ],
    [
      'gets more in the next window',
      [purchase([grant(6, aDay(6))]), 1],
      purchase([grant(9, aDay(6, 1))]),
      `6 → 12/0 issued {${counted(1, ['a/day', 1, 6])}}`,
    ],
    [
      'is late for its window, and finds it full',
      [purchase([grant(6, aDay(6))]), 0.52],
      purchase([grant(9, aDay(6))]),
      'nothing_earned',
    ],
    [
      'is late for its window, and finds room',
      [purchase([grant(4, aDay(6))]), 0.52],
      purchase([grant(9, aDay(6))]),
      `2 → 6/0 issued {${counted(1, ['a/day', 0, 2])}}`,
    ],
    ['is far too late for its window', [1], purchase([grant(9, aDay(6))]), 'nothing_earned'],
    [
      'shares a cap in the order of its grants',
      [],
      purchase([grant(4, aDay(6)), grant(4, aDay(6))]),
      `6 → 6/0 issued {${counted(1, ['a/day', 0, 6])}}`,
    ],
    [
      'obeys the tightest of its caps',
      [],
      purchase([grant(9, aDay(6), ['a/month', 29, 4])]),
      `4 → 4/0 issued {${counted(1, ['a/day', 0, 4], ['a/month', 29, 4])}}`,
    ],
    [
      'is not given back by a reversal',
      [purchase([grant(6, aDay(6))]), reverse(1, null)],
      purchase([grant(9, aDay(6))]),
      'nothing_earned',
    ],
    [
      'earns no more than one transaction can',
      [],
      purchase([grant(most), grant(most)]),
      `${most} → ${most}/0 issued {${counted(1)}}`,
    ],
    [
      'pays the debt',
      [earn(9), burn(9), reverse(1, null, recover)],
      purchase([grant(4)]),
      `0 → 0/0 owes 5 issued {"owed":4,${counted(1)}}`,
    ],
    ['does not pass the limit', toTheLimit(7), purchase([grant(8)]), 'balance_limit_exceeded'],
    [
      'needs no more counters than there may be',
      fullOfCounters,
      purchase([grant(1, ['one more/day', 0, 1])]),
      'counters_limit_exceeded',
    ],
    [
      'grows the counters that there are',
      fullOfCounters,
      purchase([grant(1, ['0/day', 0, 2])]),
      `1 → 1000/0 issued {${counted(1, ['0/day', 0, 1])}}`,
    ],
    ['not into a frozen account', [freeze], purchase([grant(1)]), 'account_frozen'],
    ['frozen comes before nothing', [freeze], purchase([]), 'account_frozen'],
  ],
  burn: [
    ['not of an opened account', [], burn(1), 'insufficient_funds'],
    ['takes all', [earn(5)], burn(5), '-5 → 0/0 redeemed'],
    ['takes no more', [earn(5)], burn(6), 'insufficient_funds'],
    ['leaves what is held', [earn(5), hold(1)], burn(4), '-4 → 1/1 redeemed'],
    ['takes nothing of what is held', [earn(5), hold(1)], burn(5), 'insufficient_funds'],
    [
      'takes what expires first',
      [load(5), earn(5, 9), earn(5, 3)],
      burn(7),
      '-7 → 8/0 9:3 redeemed {"lots":[[3,-5],[9,-2]]}',
    ],
    [
      'takes what never expires last',
      [load(5), earn(5, 9), earn(5, 3)],
      burn(11),
      '-11 → 4/0 redeemed {"lots":[[3,-5],[9,-5]]}',
    ],
    ['takes a lot on its last day', [earn(5, 3), 3], burn(5), '-5 → 0/0 redeemed {"lots":[[3,-5]]}'],
    ['takes nothing of a lot whose day is over', [earn(5, 3), 4], burn(1), 'insufficient_funds'],
    [
      'passes over a lot whose day is over',
      [earn(5, 3), earn(5, 6), 4],
      burn(4),
      '-4 → 6/0 3:5 6:1 redeemed {"lots":[[6,-4]]}',
    ],
    ['says nothing of lots that it did not touch', [earn(5, 3), load(5), 4], burn(4), '-4 → 6/0 3:5 redeemed'],
    ['not of a balance below zero', [earn(9), burn(9), reverse(1, null, negative(9))], burn(1), 'insufficient_funds'],
    ['not of a frozen account', [earn(5), freeze], burn(1), 'account_frozen'],
    ['frozen comes before the balance', [freeze], burn(1), 'account_frozen'],
  ],
  load: [
    ['has a reason where nobody paid', [], refund(3), '3 → 3/0 issued {"reason":"why"}'],
    ['never expires', [earn(1, 1)], load(7), '7 → 8/0 1:1 issued'],
    ['pays no debt', [earn(9), burn(9), reverse(1, null, recover)], load(4), '4 → 4/0 owes 9 issued'],
    ['does not pass the limit', toTheLimit(7), load(8), 'balance_limit_exceeded'],
    ['not into a frozen account', [...toTheLimit(0), freeze], load(1), 'account_frozen'],
  ],
  clear: [
    ['spends all', [load(5)], clear('redeem'), '-5 → 0/0 redeemed {"cleared":true}'],
    ['spends what can be spent', [earn(5, 3), load(2), 4], clear('redeem'), '-2 → 5/0 3:5 redeemed {"cleared":true}'],
    ['leaves the holds', [load(5), hold(3)], clear('redeem'), '-2 → 3/3 redeemed {"cleared":true}'],
    ['spends nothing where there is nothing', [load(3), hold(3)], clear('redeem'), 'insufficient_funds'],
    ['spends nothing below zero', [...overdrawn], clear('adjust'), 'insufficient_funds'],
    ['spends nothing of a frozen account', [load(5), freeze], clear('redeem'), 'account_frozen'],
    ['frozen comes before nothing', [freeze], clear('redeem'), 'account_frozen'],
    [
      'adjusts, frozen or not',
      [load(5), freeze],
      clear('adjust'),
      '-5 → 0/0 frozen adjusted {"reason":"why","cleared":true}',
    ],
    [
      'expires what is due, too, and what never would',
      [earn(5, 3), load(2), 4],
      clear('expire'),
      '-7 → 0/0 expired {"lots":[[3,-5]],"due":true,"cleared":true}',
    ],
    [
      'expires, frozen or not',
      [load(5), freeze],
      clear('expire'),
      '-5 → 0/0 frozen expired {"due":true,"cleared":true}',
    ],
    [
      'leaves for another account',
      [earn(5, 3), load(2)],
      clear('transfer_out'),
      `-7 → 0/0 transit {"lots":[[3,-5]],${to},"across":true,"cleared":true}`,
    ],
    ['does not leave a frozen account', [load(2), freeze], clear('transfer_out'), 'account_frozen'],
    [
      'does where that is said',
      [load(2), freeze],
      clear('transfer_out', true),
      `-2 → 0/0 frozen transit {${to},"across":true,"cleared":true}`,
    ],
    [
      'as much as one posting may move',
      [load(most), load(7)],
      clear('expire'),
      `${-most} → 7/0 expired {"due":true,"cleared":true}`,
    ],
  ],
  decline: [
    ['says which state it is', [load(5)], decline('giftcard_pending'), 'giftcard_pending'],
    ['of an account that has nothing', [], decline('giftcard_expired'), 'giftcard_expired'],
    ['of a frozen one', [freeze], decline('giftcard_deactivated'), 'giftcard_deactivated'],
  ],
  redeem: [
    ['takes what expires first', [load(5), earn(5, 9)], redeem(7), '-7 → 3/0 redeemed {"lots":[[9,-5]]}'],
    ['takes no more', [earn(5)], redeem(6), 'insufficient_funds'],
    ['not of a frozen account', [freeze], redeem(1), 'account_frozen'],
  ],
  adjust: [
    ['puts in', [], adjust('in', 5), '5 → 5/0 adjusted {"reason":"why"}'],
    ['puts in a lot', [], adjust('in', 5, 3), '5 → 5/0 3:5 adjusted {"lots":[[3,5]],"reason":"why"}'],
    [
      'pays no debt',
      [earn(9), burn(9), reverse(1, null, recover)],
      adjust('in', 4),
      '4 → 4/0 owes 9 adjusted {"reason":"why"}',
    ],
    ['takes out', [earn(5, 3)], adjust('out', 5), '-5 → 0/0 adjusted {"lots":[[3,-5]],"reason":"why"}'],
    ['takes no more', [earn(5), hold(1)], adjust('out', 5), 'insufficient_funds'],
    ['does not pass the limit', toTheLimit(7), adjust('in', 8), 'balance_limit_exceeded'],
    ['takes out at the limit', toTheLimit(0), adjust('out', 8), `-8 → ${max - 8}/0 adjusted {"reason":"why"}`],
    ['of a frozen account too', [earn(5), freeze], adjust('out', 1), '-1 → 4/0 frozen adjusted {"reason":"why"}'],
  ],
  transfer_out: [
    ['takes what expires first', [load(5), earn(5, 9)], transferOut(7), `-7 → 3/0 transit {"lots":[[9,-5]],${to}}`],
    ['takes no more', [earn(5), hold(1)], transferOut(5), 'insufficient_funds'],
    ['not of a frozen account', [freeze], transferOut(1), 'account_frozen'],
    ['says that it goes across lanes', [earn(5)], transferAcross(5), `-5 → 0/0 transit {${to},"across":true}`],
  ],
  return: [
    [
      'gives back to the lots',
      [load(5), earn(5, 9), transferAcross(7), earn(1, 9)],
      giveBack(3),
      '7 → 11/0 9:6 transit {"lots":[[9,5]],"returns":3}',
    ],
    ['to a frozen account', [load(5), transferAcross(4), freeze], giveBack(2), '4 → 5/0 frozen transit {"returns":2}'],
    [
      'also points whose day is over',
      [earn(5, 1), transferAcross(5), 9],
      giveBack(2),
      '5 → 5/0 1:5 transit {"lots":[[1,5]],"returns":2}',
    ],
    [
      'pays no debt',
      [earn(9), burn(9), reverse(1, null, recover), load(2), transferAcross(2)],
      giveBack(5),
      '2 → 2/0 owes 9 transit {"returns":5}',
    ],
    [
      'makes up a balance below zero',
      [earn(4), earn(3, 5), transferAcross(7), reverse(1, null, negative(9))],
      giveBack(3),
      '7 → 3/0 transit {"returns":3}',
    ],
  ],
  transfer_in: [
    ['puts in', [], transferIn(7), `7 → 7/0 transit {${to}}`],
    [
      'keeps when points expire',
      [earn(1, 5)],
      transferIn(7, [
        [5, 2],
        [8, 3],
      ]),
      `7 → 8/0 5:3 8:3 transit {"lots":[[5,2],[8,3]],${to}}`,
    ],
    ['also of points whose day is over', [9], transferIn(7, [[5, 2]]), `7 → 7/0 5:2 transit {"lots":[[5,2]],${to}}`],
    [
      'makes up a balance below zero',
      [earn(9), burn(9), reverse(1, null, negative(4 + 5))],
      transferIn(12, [
        [5, 8],
        [6, 4],
      ]),
      `12 → 3/0 6:3 transit {"lots":[[6,3]],${to}}`,
    ],
    ['does not pass the limit', toTheLimit(7), transferIn(8), 'balance_limit_exceeded'],
    ['not into a frozen account', [...toTheLimit(0), freeze], transferIn(1), 'account_frozen'],
  ],
  freeze: [
    ['freezes', [earn(5)], freeze, '0 → 5/0 frozen adjusted {"reason":"lost"}'],
    ['not twice', [freeze], freeze, 'account_frozen'],
  ],
  unfreeze: [
    ['thaws', [earn(5), freeze], unfreeze, '0 → 5/0 adjusted {"reason":"found"}'],
    ['not what is not frozen', [freeze, unfreeze], unfreeze, 'account_not_frozen'],
  ],
};

describe('the account machine', () => {
  describeRows(cases);

  it('waits with what comes back until there is room for it, and takes nothing back that did not leave', () => {
    const full = new History([load(8), transferAcross(8), ...toTheLimit(7)]);
    assert.throws(() => full.ask(giveBack(2)), InvariantViolation);
    full.post(burn(1));
    assert.equal(full.post(giveBack(2)).balanceAfter, max);
    const whole = new History([load(8), transferOut(8)]);
    assert.throws(() => whole.ask(giveBack(2)), InvariantViolation);
  });

  it('holds time at the account when the clock goes back', () => {
    const history = new History([7, earn(5, 3), 2]);
    const { occurredAtMs, detail } = history.post(earn(1, 3));
    assert.deepEqual([occurredAtMs, detail?.lots], [noonOf(7), [[10, 1]]]);
  });

  it('stays small however many earns there are', () => {
    const history = new History();
    for (let index = 0; index < 10_000; index++) {
      history.nowMs = noonOf(Math.floor(index / 100));
      history.post(earn(1 + (index % 7), 30 + (index % 30)));
    }
    // The first earn can last until day 30, the last one until day 158: a lot a day at most.
    assert.equal(history.state.lots.length, 129);
    assert.equal(history.state.version, 10_000);
  });
});
