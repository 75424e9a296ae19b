/** What a purchase asks of the ledger: few grants, exact shares. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { rules as wire } from '@local-plus/contracts';
import { compile } from './domain.ts';
import { folded, grantsOf, rate, ratePurchase, share } from './rating.ts';
import { fixed, perAmount, purchase, rule, times } from './test/rules.ts';

const base = rule({ id: 'base', effect: perAmount(1, 100) });
const nowMs = Date.parse('2026-11-21T16:30:00Z');

function compiled(rules: readonly wire.Rule[], caps: wire.Rule['caps'] = []) {
  return compile({ id: 'v', version: 1, timeZone: 'Europe/Berlin', caps, rules });
}

describe('a share', () => {
  it('is exact past 2^53', () => {
    assert.equal(share(999_999_999_999, 999_999_937, 999_999_999_999), 999_999_937);
    assert.equal(share(1_000_000_000_000, 1_000_000_000, 1_000_000_007), 999_999_993_000);
    assert.equal(share(94_906_266, 94_906_265, 94_906_266), 94_906_265);
    assert.equal(share(1, 94_906_265 * 94_906_266 - 1, 94_906_266), 94_906_264);
  });
});

describe('what the ledger is asked for', () => {
  const day = { per: 'day', points: 10 } as const;
  const untilMs = Date.parse('2026-11-22T00:00:00+01:00');
  const own = { counter: 'b/day', untilMs, max: 10 };
  const ofAll = { counter: '*/month', untilMs: Date.parse('2026-12-01T00:00:00+01:00'), max: 99 };
  const rules = [
    rule({ id: 'a', effect: fixed(1), priority: 4 }),
    rule({ id: 'b', effect: fixed(2), priority: 3, caps: [day] }),
    rule({ id: 'c', effect: fixed(4), priority: 2 }),
    rule({ id: 'd', effect: fixed(8), priority: 1 }),
    rule({ id: 'e', effect: fixed(16), conditions: { first_purchase: true } }),
  ];

  it('is few grants, in the order of rules, each with the ends of its windows', () => {
    const version = compiled(rules, [{ per: 'month', points: 99 }]);
    assert.deepEqual(ratePurchase(version, purchase(1), null, nowMs), {
      rules: 'v',
      first: [
        { points: 1, caps: [ofAll] },
        { points: 2, caps: [own, ofAll] },
        { points: 28, caps: [ofAll] },
      ],
      later: [
        { points: 1, caps: [ofAll] },
        { points: 2, caps: [own, ofAll] },
        { points: 12, caps: [ofAll] },
      ],
    });
  });

  it('is nothing of rules that give nothing', () => {
    const version = compiled([base, rule({ id: 'x', effect: times(2) })]);
    assert.deepEqual(ratePurchase(version, purchase(99), null, nowMs), { rules: 'v', first: [], later: [] });
    const rated = rate(version, {
      purchase: purchase(100),
      time: version.calendar.at(nowMs),
      isFirst: true,
      tier: null,
    });
    assert.deepEqual(folded(grantsOf(version, rated, nowMs)), [{ points: 2, caps: [] }]);
  });
});
