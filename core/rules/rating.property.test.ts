/**
 * Any rules and purchases: the prepared rules beside the naive model, and what the ledger makes of their grants.
 * SEED=<the seed in the test's name> repeats a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allot, type Counter } from '@local-plus/actors';
import { limits, rules as wire } from '@local-plus/contracts';
import fc from 'fast-check';
import { compile } from './domain.ts';
import { folded, grantsOf, rate } from './rating.ts';
import { naivePoints } from './test/naive-model.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const codes = ['a', 'b', 'c'] as const;
const someCodes = fc.subarray([...codes], { minLength: 1 });
/** Mostly small, so that caps and minima matter; sometimes as large as it gets, so that products pass 2^53. */
const sized = (max: number) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max }) },
  );
const anAmount = sized(limits.amountMax);
const points = sized(limits.rulePointsMax);
const clock = fc
  .tuple(fc.constantFrom('00', '06', '12', '23'), fc.constantFrom('00', '30'))
  .map(([hour, minute]) => `${hour}:${minute}`);
const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined, freq: 3 });

const effect = fc.oneof(
  fc.record({ type: fc.constant('points_per_amount'), points, per: anAmount, minimum: optional(points) }),
  fc.record({ type: fc.constant('fixed'), points }),
  fc.tuple(fc.integer({ min: 1, max: 999 }), fc.integer({ min: 1, max: 9 })).map(([more, denominator]) => ({
    type: 'multiplier',
    numerator: Math.min(denominator + more, limits.ruleFactorMax),
    denominator,
  })),
);
const caps = fc.uniqueArray(fc.record({ per: fc.constantFrom('purchase', ...wire.capPeriods), points: anAmount }), {
  selector: ({ per }) => per,
  maxLength: 2,
});
const conditions = fc.record({
  amount: optional(fc.record({ min: optional(fc.integer({ min: 0, max: 30 })) })),
  categories: optional(someCodes),
  skus: optional(someCodes),
  channels: optional(someCodes),
  times: optional(
    fc.record({ days: optional(fc.subarray([...wire.weekdays], { minLength: 1 })), from: clock, to: clock }),
  ),
  tiers: optional(fc.subarray(['silver', 'gold'], { minLength: 1 })),
  first_purchase: optional(fc.constant(true as const)),
});
const aRule = fc
  .record({
    priority: fc.integer({ min: -1, max: 1 }),
    currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'USD'),
    conditions,
    effect,
    group: optional(fc.constantFrom('g', 'h')),
    caps,
  })
  .map((each) =>
    each.effect.type === 'multiplier'
      ? { ...each, conditions: { ...each.conditions, categories: undefined, skus: undefined } }
      : each,
  );
const someRules = fc
  .array(aRule, { maxLength: 12 })
  .map((rules) => rules.map((each, place) => wire.rule.parse({ ...each, id: `r${place}` })));
const aPurchase = fc
  .record({
    lines: fc.array(
      fc.record({
        sku: optional(fc.constantFrom(...codes)),
        category: optional(fc.constantFrom(...codes)),
        amount: anAmount,
      }),
      { maxLength: 3 },
    ),
    rest: anAmount,
    channel: optional(fc.constantFrom(...codes)),
  })
  .map(({ lines, rest, channel }) => {
    const amount = Math.min(
      lines.reduce((sum, line) => sum + line.amount, rest),
      limits.amountMax,
    );
    const fits = lines.reduce((sum, line) => sum + line.amount, 0) <= amount;
    return wire.purchase.parse({ amount, currency: 'EUR', channel, lines: fits ? lines : [] });
  });
/** A moment of one week in UTC, by the half hour. */
const aMoment = fc.integer({ min: 0, max: 335 }).map((half) => Date.parse('2026-11-16T00:00:00Z') + half * 1_800_000);

const aTier = fc.constantFrom(null, 'silver', 'gold', 'platinum');

const seen = new Set<string>();

describe('rules, any of them', () => {
  it(`give what the naive model gives (SEED=${seed})`, () => {
    fc.assert(
      fc.property(
        someRules,
        caps,
        aPurchase,
        aMoment,
        fc.boolean(),
        aTier,
        (rules, all, purchase, nowMs, isFirst, tier) => {
          const version = compile({ id: 'v', version: 1, timeZone: 'UTC', caps: all, rules });
          const rated = rate(version, { purchase, time: version.calendar.at(nowMs), isFirst, tier });
          const weekday = wire.weekdays[Math.floor((nowMs - Date.parse('2026-11-16T00:00:00Z')) / 86_400_000)];
          assert.ok(weekday);
          const time = new Date(nowMs).toISOString().slice(11, 16);
          assert.deepEqual(
            rated.map(({ rule, points }) => [rule.rule.id, points]),
            naivePoints(rules, all, { purchase, weekday, time, isFirst, tier }),
          );
          for (const each of rated) note(each, version.rules.length > rated.length);
        },
      ),
      { seed, numRuns: 2_000 },
    );
    for (const what of [
      'lost',
      'capped',
      'unmatched',
      'points_per_amount',
      'fixed',
      'multiplier',
      'times',
      'tiers',
      'lines',
    ]) {
      assert.ok(seen.has(what), `${what} came up`);
    }
  });

  it(`are given as much in few grants as in many, and never past a cap (SEED=${seed})`, () => {
    const step = fc.tuple(aPurchase, fc.integer({ min: 0, max: 40 }));
    fc.assert(
      fc.property(someRules, caps, fc.array(step, { minLength: 2, maxLength: 8 }), (rules, all, steps) => {
        const version = compile({ id: 'v', version: 1, timeZone: 'UTC', caps: all, rules });
        let counters: readonly Counter[] = [];
        let nowMs = Date.parse('2026-11-16T00:00:00Z');
        const given = new Map<string, number>();
        for (const [purchase, hours] of steps) {
          nowMs += hours * 3_600_000;
          const rated = rate(version, { purchase, time: version.calendar.at(nowMs), isFirst: false, tier: null });
          const grants = grantsOf(version, rated, nowMs);
          const many = allot(counters, grants, nowMs);
          const few = allot(counters, folded(grants), nowMs);
          assert.equal(few.total, many.total);
          assert.deepEqual(new Set(few.changes.map(String)), new Set(many.changes.map(String)));
          for (const [place, amount] of many.amounts.entries()) {
            for (const { counter, untilMs, max } of grants[place]?.caps ?? []) {
              const id = `${counter} ${untilMs}`;
              given.set(id, (given.get(id) ?? 0) + amount);
              assert.ok((given.get(id) ?? 0) <= max, `${id} passed ${max}`);
            }
          }
          counters = summed(counters, few.changes);
        }
      }),
      { seed, numRuns: 500 },
    );
  });
});

function note(each: ReturnType<typeof rate>[number], someDidNot: boolean): void {
  const { effect, conditions } = each.rule.rule;
  seen.add(effect.type);
  if (each.lostTo !== null) seen.add('lost');
  if (each.points < each.beforeCaps) seen.add('capped');
  if (someDidNot) seen.add('unmatched');
  if (conditions.times !== undefined) seen.add('times');
  if (conditions.tiers !== undefined) seen.add('tiers');
  if (each.eligibleAmount > 0 && (conditions.skus ?? conditions.categories)) seen.add('lines');
}

function summed(counters: readonly Counter[], changes: readonly Counter[]): readonly Counter[] {
  const sums = new Map<string, Counter>();
  for (const [key, untilMs, count] of [...counters, ...changes]) {
    const id = `${key} ${untilMs}`;
    sums.set(id, [key, untilMs, (sums.get(id)?.[2] ?? 0) + count]);
  }
  return [...sums.values()];
}
