/**
 * Earn rules in the plainest words: every rule is looked at, fractions are exact, nothing is prepared or remembered. To be
 * compared with; shares nothing with the module but the shape of rules and purchases.
 */
import type { rules as wire } from '@local-plus/contracts';

export interface NaiveFacts {
  readonly purchase: wire.Purchase;
  /** 'mon' … 'sun', and 'HH:MM', by the clocks of the time zone. */
  readonly weekday: wire.Weekday;
  readonly time: string;
  readonly isFirst: boolean;
  readonly tier: string | null;
}

const MOST = 1_000_000_000_000n;
const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);

/** Points by the rule's id, of those that matched, after the caps of a single purchase; in the order of the rules. */
export function naivePoints(
  rules: readonly wire.Rule[],
  caps: wire.Rule['caps'],
  facts: NaiveFacts,
): readonly (readonly [string, number])[] {
  const matched = rules.filter((rule) => matches(rule, facts));
  const ordered = matched.sort((a, b) =>
    a.priority === b.priority ? (a.id < b.id ? -1 : 1) : b.priority - a.priority,
  );
  const adding = best(
    ordered
      .filter((rule) => rule.effect.type !== 'multiplier')
      .map((rule) => [rule, capped(rule.caps, added(rule, facts.purchase))]),
  );
  const base = least(sum(adding.map(([, points]) => points)), MOST);
  const multiplying = best(
    ordered
      .filter((rule) => rule.effect.type === 'multiplier')
      .map((rule) => [rule, capped(rule.caps, multiplied(rule, base))]),
  );
  const given = new Map([...adding, ...multiplying]);
  let left = capped(caps, MOST);
  return ordered.map((rule) => {
    const points = least(given.get(rule) ?? 0n, left);
    left -= points;
    return [rule.id, Number(points)];
  });
}

type Given = readonly [wire.Rule, bigint];

function matches({ currency, conditions }: wire.Rule, { purchase, weekday, time, isFirst, tier }: NaiveFacts): boolean {
  const { amount, categories, skus, channels, times, tiers, first_purchase } = conditions;
  return (
    purchase.currency === currency &&
    (amount?.min === undefined || purchase.amount >= amount.min) &&
    (amount?.max === undefined || purchase.amount <= amount.max) &&
    ((categories === undefined && skus === undefined) || counted(conditions, purchase).length > 0) &&
    (channels === undefined || channels.some((channel) => channel === purchase.channel)) &&
    (times === undefined || isOpen(times, weekday, time)) &&
    (tiers === undefined || tiers.some((each) => each === tier)) &&
    (first_purchase === undefined || isFirst)
  );
}

function counted({ categories, skus }: wire.Rule['conditions'], { lines }: wire.Purchase): wire.Purchase['lines'] {
  return lines.filter(
    (line) =>
      (categories === undefined || categories.some((category) => category === line.category)) &&
      (skus === undefined || skus.some((sku) => sku === line.sku)),
  );
}

const week: readonly wire.Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** Every minute of each day on which it opens, written out. */
function isOpen(times: NonNullable<wire.Rule['conditions']['times']>, weekday: wire.Weekday, time: string): boolean {
  const minute = (text: string): number => Number(text.split(':')[0]) * 60 + Number(text.split(':')[1]);
  const now = week.indexOf(weekday) * 1_440 + minute(time);
  const opens = minute(times.from);
  const closes = minute(times.to) > opens ? minute(times.to) : minute(times.to) + 1_440;
  return (times.days ?? week).some((day) => {
    const start = week.indexOf(day) * 1_440;
    return [now, now + 10_080].some((moment) => moment >= start + opens && moment < start + closes);
  });
}

function added({ effect, conditions }: wire.Rule, purchase: wire.Purchase): bigint {
  if (effect.type === 'fixed') return BigInt(effect.points);
  if (effect.type === 'multiplier') throw new Error('a multiplier adds nothing by itself');
  const ofLines = conditions.categories !== undefined || conditions.skus !== undefined;
  const amount = ofLines
    ? sum(counted(conditions, purchase).map((line) => BigInt(line.amount)))
    : BigInt(purchase.amount);
  const points = (amount * BigInt(effect.points)) / BigInt(effect.per);
  const minimum = BigInt(effect.minimum ?? 0);
  return points > minimum ? points : minimum;
}

function multiplied({ effect }: wire.Rule, base: bigint): bigint {
  if (effect.type !== 'multiplier') throw new Error('only a multiplier multiplies');
  return (base * BigInt(effect.numerator)) / BigInt(effect.denominator) - base;
}

/** Of each group the one that gives most; the first of those that give as much. */
function best(given: readonly Given[]): readonly Given[] {
  return given.filter(([rule, points], place) => {
    if (rule.group === undefined) return true;
    return given.every(([other, more], at) => {
      if (other === rule || other.group !== rule.group) return true;
      return at < place ? more < points : more <= points;
    });
  });
}

function capped(caps: wire.Rule['caps'], points: bigint): bigint {
  const cap = caps.find(({ per }) => per === 'purchase');
  return least(least(points, MOST), cap === undefined ? MOST : BigInt(cap.points));
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}
