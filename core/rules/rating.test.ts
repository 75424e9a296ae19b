/** What rules give for a purchase: one table of cases, each row ending in what each rule that matched gives. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { rules as wire } from '@local-plus/contracts';
import { candidates, compile, unmatchedBy } from './domain.ts';
import { rate } from './rating.ts';
import { fixed, perAmount, purchase, rule, times } from './test/rules.ts';

/** Saturday, 2026-11-21, 17:30 in Berlin. */
const nowMs = Date.parse('2026-11-21T16:30:00Z');
const most = 1_000_000_000_000;

const base = rule({ id: 'base', effect: perAmount(1, 100) });
const breakfast = [
  { sku: 'espresso', category: 'coffee', amount: 450 },
  { sku: 'cake', category: 'food', amount: 800 },
  { category: 'coffee', amount: 199 },
];

interface Case {
  readonly name: string;
  readonly rules: readonly wire.Rule[];
  readonly caps?: wire.Rule['caps'];
  readonly purchase: wire.Purchase;
  readonly isFirst?: boolean;
  readonly tier?: string | null;
  /** `<rule> <points>`, with ` of <before caps>` where it would give more, and ` lost to <rule>`; those that matched. */
  readonly gives: string;
}

const cases: readonly Case[] = [
  { name: 'no rules', rules: [], purchase: purchase(1_000), gives: '' },
  { name: 'rounds down', rules: [base], purchase: purchase(1_999), gives: 'base 19' },
  { name: 'gives nothing for too little', rules: [base], purchase: purchase(99), gives: 'base 0' },
  {
    name: 'rounds once, over all lines',
    rules: [rule({ id: 'a', conditions: { categories: ['coffee'] }, effect: perAmount(1, 100) })],
    purchase: purchase(1_449, { lines: breakfast }),
    gives: 'a 6',
  },
  {
    name: 'gives its minimum',
    rules: [rule({ id: 'a', effect: perAmount(1, 100, 5) })],
    purchase: purchase(1),
    gives: 'a 5',
  },
  {
    name: 'gives more than its minimum',
    rules: [rule({ id: 'a', effect: perAmount(1, 100, 5) })],
    purchase: purchase(600),
    gives: 'a 6',
  },
  {
    name: 'a minimum does not pass the cap',
    rules: [rule({ id: 'a', effect: perAmount(1, 100, 5), caps: [{ per: 'purchase', points: 3 }] })],
    purchase: purchase(1),
    gives: 'a 3 of 5',
  },
  { name: 'fixed', rules: [rule({ id: 'a', effect: fixed(7) })], purchase: purchase(1), gives: 'a 7' },
  { name: 'stack', rules: [base, rule({ id: 'a', effect: fixed(7) })], purchase: purchase(500), gives: 'a 7, base 5' },
  {
    name: 'stand in the order of priority',
    rules: [base, rule({ id: 'a', effect: fixed(7), priority: -1 }), rule({ id: 'z', effect: fixed(8), priority: 9 })],
    purchase: purchase(500),
    gives: 'z 8, base 5, a 7',
  },
  {
    name: 'the best of a group counts',
    rules: [rule({ id: 'a', effect: fixed(7), group: 'g' }), rule({ id: 'b', effect: perAmount(1, 100), group: 'g' })],
    purchase: purchase(900),
    gives: 'a 0 of 7 lost to b, b 9',
  },
  {
    name: 'of equals in a group the first counts',
    rules: [
      rule({ id: 'b', effect: fixed(9), group: 'g', priority: 1 }),
      rule({ id: 'a', effect: fixed(9), group: 'g' }),
    ],
    purchase: purchase(900),
    gives: 'b 9, a 0 of 9 lost to b',
  },
  {
    name: 'the best of a group is found under its caps',
    rules: [
      rule({ id: 'a', effect: fixed(100), group: 'g', caps: [{ per: 'purchase', points: 5 }] }),
      rule({ id: 'b', effect: fixed(6), group: 'g' }),
    ],
    purchase: purchase(900),
    gives: 'a 0 of 100 lost to b, b 6',
  },
  {
    name: 'groups add up, with rules without any',
    rules: [
      base,
      rule({ id: 'a', effect: fixed(1), group: 'g' }),
      rule({ id: 'b', effect: fixed(2), group: 'g' }),
      rule({ id: 'c', effect: fixed(4), group: 'h' }),
    ],
    purchase: purchase(800),
    gives: 'a 0 of 1 lost to b, b 2, base 8, c 4',
  },
  {
    name: 'a rule that does not match wins no group',
    rules: [
      rule({ id: 'a', effect: fixed(1), group: 'g' }),
      rule({ id: 'b', effect: fixed(2), group: 'g', conditions: { channels: ['web'] } }),
    ],
    purchase: purchase(800),
    gives: 'a 1',
  },
  {
    name: 'a multiplier gives on top',
    rules: [base, rule({ id: 'x', effect: times(3) })],
    purchase: purchase(1_000),
    gives: 'base 10, x 20',
  },
  {
    name: 'a multiplier rounds down',
    rules: [base, rule({ id: 'x', effect: times(3, 2) })],
    purchase: purchase(500),
    gives: 'base 5, x 2',
  },
  {
    name: 'a multiplier of nothing',
    rules: [rule({ id: 'x', effect: times(3) })],
    purchase: purchase(500),
    gives: 'x 0',
  },
  {
    name: 'multipliers do not multiply each other',
    rules: [base, rule({ id: 'x', effect: times(2) }), rule({ id: 'y', effect: times(3) })],
    purchase: purchase(1_000),
    gives: 'base 10, x 10, y 20',
  },
  {
    name: 'the best multiplier of a group counts, and competes with multipliers only',
    rules: [
      rule({ id: 'a', effect: fixed(10), group: 'g' }),
      rule({ id: 'x', effect: times(2), group: 'g' }),
      rule({ id: 'y', effect: times(5, 2), group: 'g' }),
    ],
    purchase: purchase(1),
    gives: 'a 10, x 0 of 10 lost to y, y 15',
  },
  {
    name: 'what lost in its group is not multiplied',
    rules: [
      rule({ id: 'a', effect: fixed(10), group: 'g' }),
      rule({ id: 'b', effect: fixed(4), group: 'g' }),
      rule({ id: 'x', effect: times(2) }),
    ],
    purchase: purchase(1),
    gives: 'a 10, b 0 of 4 lost to a, x 10',
  },
  {
    name: 'a multiplier has a cap, too',
    rules: [base, rule({ id: 'x', effect: times(3), caps: [{ per: 'purchase', points: 7 }] })],
    purchase: purchase(1_000),
    gives: 'base 10, x 7 of 20',
  },
  {
    name: 'the cap of all rules is used up in the order of priority',
    rules: [base, rule({ id: 'a', effect: fixed(7), priority: 1 }), rule({ id: 'z', effect: fixed(1), priority: -1 })],
    caps: [{ per: 'purchase', points: 10 }],
    purchase: purchase(500),
    gives: 'a 7, base 3 of 5, z 0 of 1',
  },
  {
    name: 'what is multiplied is before the cap of all rules',
    rules: [base, rule({ id: 'x', effect: times(2), priority: 1 })],
    caps: [{ per: 'purchase', points: 15 }],
    purchase: purchase(1_000),
    gives: 'x 10, base 5 of 10',
  },
  {
    name: 'exactly, past 2^53',
    rules: [rule({ id: 'a', effect: perAmount(999_999_937, 999_999_999_967) })],
    purchase: purchase(999_999_999_999),
    gives: 'a 999999937',
  },
  {
    name: 'no more than a transaction can move',
    rules: [rule({ id: 'a', effect: perAmount(1_000_000_000, 1) })],
    purchase: purchase(most),
    gives: `a ${most}`,
  },
  {
    name: 'no more than a transaction can move, together',
    rules: [
      rule({ id: 'a', effect: perAmount(1, 1) }),
      rule({ id: 'b', effect: fixed(1) }),
      rule({ id: 'x', effect: times(1_000) }),
    ],
    purchase: purchase(most),
    gives: `a ${most}, b 0 of 1, x 0 of ${most}`,
  },
  { name: 'another currency', rules: [base], purchase: purchase(1_000, { currency: 'USD' }), gives: '' },
  {
    name: 'amounts, both ends included',
    rules: [
      rule({ id: 'a', conditions: { amount: { min: 500 } }, effect: fixed(1) }),
      rule({ id: 'b', conditions: { amount: { max: 500 } }, effect: fixed(1) }),
      rule({ id: 'c', conditions: { amount: { min: 501 } }, effect: fixed(1) }),
      rule({ id: 'd', conditions: { amount: { min: 1, max: 499 } }, effect: fixed(1) }),
    ],
    purchase: purchase(500),
    gives: 'a 1, b 1',
  },
  {
    name: 'lines by category, by SKU, and by both',
    rules: [
      rule({ id: 'a', conditions: { categories: ['coffee', 'tea'] }, effect: perAmount(1, 1) }),
      rule({ id: 'b', conditions: { skus: ['cake', 'espresso'] }, effect: perAmount(1, 1) }),
      rule({ id: 'c', conditions: { categories: ['coffee'], skus: ['espresso', 'cake'] }, effect: perAmount(1, 1) }),
      rule({ id: 'd', conditions: { categories: ['coffee'], skus: ['cake'] }, effect: perAmount(1, 1) }),
      rule({ id: 'e', conditions: { categories: ['tea'] }, effect: fixed(1) }),
    ],
    purchase: purchase(2_000, { lines: breakfast }),
    gives: 'a 649, b 1250, c 450',
  },
  {
    name: 'channels',
    rules: [
      rule({ id: 'a', conditions: { channels: ['app', 'web'] }, effect: fixed(1) }),
      rule({ id: 'b', conditions: { channels: ['store'] }, effect: fixed(1) }),
    ],
    purchase: purchase(1, { channel: 'web' }),
    gives: 'a 1',
  },
  {
    name: 'no channel',
    rules: [rule({ id: 'a', conditions: { channels: ['app'] }, effect: fixed(1) })],
    purchase: purchase(1),
    gives: '',
  },
  {
    name: 'days and hours, by the clocks of the time zone',
    rules: [
      rule({ id: 'a', conditions: { times: { days: ['sat'] } }, effect: fixed(1) }),
      rule({ id: 'b', conditions: { times: { from: '17:30', to: '17:31' } }, effect: fixed(1) }),
      rule({ id: 'c', conditions: { times: { from: '16:00', to: '17:30' } }, effect: fixed(1) }),
      rule({ id: 'd', conditions: { times: { from: '18:00', to: '17:31' } }, effect: fixed(1) }),
      rule({ id: 'e', conditions: { times: { days: ['fri'], from: '18:00', to: '17:31' } }, effect: fixed(1) }),
      rule({ id: 'f', conditions: { times: { days: ['sat'], from: '18:00', to: '17:31' } }, effect: fixed(1) }),
      rule({ id: 'g', conditions: { times: { days: ['sun'] } }, effect: fixed(1) }),
    ],
    purchase: purchase(1),
    gives: 'a 1, b 1, d 1, e 1',
  },
  {
    name: 'when it was made, not when it is told',
    rules: [
      rule({ id: 'a', conditions: { times: { days: ['sat'] } }, effect: fixed(1) }),
      rule({ id: 'b', conditions: { times: { days: ['mon'], from: '00:00', to: '00:01' } }, effect: fixed(1) }),
    ],
    purchase: purchase(1, { occurred_at: '2026-11-22T23:00:00Z' }),
    gives: 'b 1',
  },
  {
    name: 'the first purchase',
    rules: [base, rule({ id: 'a', conditions: { first_purchase: true }, effect: fixed(50) })],
    purchase: purchase(100),
    isFirst: true,
    gives: 'a 50, base 1',
  },
  {
    name: 'a tier',
    rules: [base, rule({ id: 'a', conditions: { tiers: ['silver', 'gold'] }, effect: times(2) })],
    purchase: purchase(100),
    tier: 'gold',
    gives: 'a 1, base 1',
  },
  {
    name: 'no tier, and another',
    rules: [base, rule({ id: 'a', conditions: { tiers: ['gold'] }, effect: times(2) })],
    purchase: purchase(100),
    gives: 'base 1',
  },
  {
    name: 'a later purchase',
    rules: [base, rule({ id: 'a', conditions: { first_purchase: true }, effect: fixed(50) })],
    purchase: purchase(100),
    gives: 'base 1',
  },
];

function compiled(rules: readonly wire.Rule[], caps: wire.Rule['caps'] = []) {
  return compile({ id: 'v', version: 1, timeZone: 'Europe/Berlin', caps, rules });
}

function given({ rules, caps, purchase: bought, isFirst = false, tier = null }: Case): string {
  const version = compiled(rules, caps);
  const madeAtMs = bought.occurred_at === undefined ? nowMs : Date.parse(bought.occurred_at);
  const rated = rate(version, { purchase: bought, time: version.calendar.at(madeAtMs), isFirst, tier });
  return rated
    .map(({ rule: { rule }, points, beforeCaps, lostTo }) => {
      const more = beforeCaps > points ? ` of ${beforeCaps}` : '';
      return `${rule.id} ${points}${more}${lostTo === null ? '' : ` lost to ${lostTo.rule.id}`}`;
    })
    .join(', ');
}

describe('what rules give', () => {
  for (const each of cases) it(`${each.name}: ${each.gives}`, () => assert.equal(given(each), each.gives));
});

describe('why a rule does not match', () => {
  const reasons: readonly (readonly [string, wire.Rule])[] = [
    ['currency', rule({ id: 'a', currency: 'USD', conditions: { channels: ['x'] }, effect: fixed(1) })],
    ['amount', rule({ id: 'a', conditions: { amount: { min: 1_451 }, skus: ['x'] }, effect: fixed(1) })],
    [
      'lines',
      rule({ id: 'a', conditions: { skus: ['espresso'], categories: ['food'], channels: ['x'] }, effect: fixed(1) }),
    ],
    ['channel', rule({ id: 'a', conditions: { channels: ['x'], times: { days: ['sun'] } }, effect: fixed(1) })],
    ['times', rule({ id: 'a', conditions: { times: { days: ['sun'] }, first_purchase: true }, effect: fixed(1) })],
    ['tiers', rule({ id: 'a', conditions: { tiers: ['gold'], first_purchase: true }, effect: fixed(1) })],
    ['first_purchase', rule({ id: 'a', conditions: { first_purchase: true }, effect: fixed(1) })],
  ];
  for (const [reason, one] of reasons) {
    it(`${reason} is said first`, () => {
      const version = compiled([one]);
      const facts = {
        purchase: purchase(1_450, { lines: breakfast }),
        time: version.calendar.at(nowMs),
        isFirst: false,
        tier: 'silver',
      };
      assert.equal(unmatchedBy(version.rules[0] as (typeof version.rules)[number], facts), reason);
      assert.deepEqual(rate(version, facts), []);
    });
  }
});

describe('the rules that are looked at', () => {
  it('are those that stand under what was bought, and those that ask for none of it', () => {
    const version = compiled([
      rule({ id: 'a', conditions: { skus: ['x', 'y'], categories: ['c'] }, effect: fixed(1) }),
      rule({ id: 'b', conditions: { categories: ['c', 'd'], channels: ['web'] }, effect: fixed(1) }),
      rule({ id: 'c', conditions: { channels: ['web', 'app'] }, effect: fixed(1) }),
      rule({ id: 'd', conditions: { amount: { min: 5 } }, effect: fixed(1) }),
    ]);
    const looked = (rest: Parameters<typeof purchase>[1]) =>
      candidates(version, purchase(9, rest)).map((place) => version.rules[place]?.rule.id);
    assert.deepEqual(looked({}), ['d']);
    assert.deepEqual(looked({ channel: 'app' }), ['c', 'd']);
    assert.deepEqual(looked({ lines: [{ category: 'd', amount: 1 }] }), ['b', 'd']);
    assert.deepEqual(
      looked({
        lines: [
          { sku: 'y', category: 'e', amount: 1 },
          { sku: 'x', amount: 1 },
        ],
      }),
      ['a', 'd'],
    );
  });
});
