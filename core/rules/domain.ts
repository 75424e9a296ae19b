/**
 * The rules of one version, made ready once, and what of them matches a purchase. Pure. How they are applied is said in
 * contracts/rules.ts; what they give, in rating.ts.
 *
 * - M1 a rule is looked at only if it stands under one of the purchase's SKUs, categories, or its channel, or asks for none of
 *   them. It stands under the first of these three that it asks for.
 * - M2 rules are in the order of priority, then of their ids.
 */
import { limits, rules as wire } from '@local-plus/contracts';
import { type LocalTime, ZoneCalendar } from '../platform/time/index.ts';

/** A version as it is stored. */
export interface RulesVersion {
  readonly id: string;
  readonly version: number;
  readonly timeZone: string;
  readonly caps: wire.Rule['caps'];
  readonly rules: readonly wire.Rule[];
}

/** What every purchase looks at stands first and flat: a program may have ten thousand of them. */
export interface CompiledRule {
  readonly currency: string;
  readonly amountMin: number;
  readonly amountMax: number;
  readonly isFirstOnly: boolean;
  readonly tiers: ReadonlySet<string> | null;
  readonly asksForLines: boolean;
  readonly skus: ReadonlySet<string> | null;
  readonly categories: ReadonlySet<string> | null;
  readonly channels: ReadonlySet<string> | null;
  readonly times: CompiledTimes | null;
  /** At most so many points for one purchase. */
  readonly purchaseMax: number;
  readonly windowCaps: readonly WindowCap[];
  readonly rule: wire.Rule;
}

/** In minutes since midnight; `days` by weekday. `to` past `from`, or the window goes over midnight. */
interface CompiledTimes {
  readonly days: readonly boolean[];
  readonly from: number;
  readonly to: number;
}

export interface WindowCap {
  readonly counter: string;
  readonly period: wire.CapPeriod;
  readonly max: number;
}

export interface CompiledRules {
  readonly id: string;
  readonly version: number;
  readonly calendar: ZoneCalendar;
  /** M2. */
  readonly rules: readonly CompiledRule[];
  readonly purchaseMax: number;
  readonly windowCaps: readonly WindowCap[];
  readonly asksForFirst: boolean;
  readonly asksForTier: boolean;
  readonly index: Index;
}

/** Places of rules. */
interface Index {
  readonly skus: ReadonlyMap<string, readonly number[]>;
  readonly categories: ReadonlyMap<string, readonly number[]>;
  readonly channels: ReadonlyMap<string, readonly number[]>;
  readonly always: readonly number[];
}

/** What rules look at. */
export interface Facts {
  readonly purchase: wire.Purchase;
  /** When it was made, by the clocks of the version's time zone. */
  readonly time: LocalTime;
  /** The wallet never earned for a purchase. */
  readonly isFirst: boolean;
  /** The wallet's; null: none. */
  readonly tier: string | null;
}

export type UnmatchedBy = (typeof wire.unmatchedBy)[number];

/** The name of a cap of all rules together: no rule can be called so. */
const ALL_RULES = '*';

export function compile({ id, version, timeZone, caps, rules }: RulesVersion): CompiledRules {
  const compiled = [...rules].sort(byPrecedence).map(compiledRule);
  return {
    id,
    version,
    calendar: new ZoneCalendar(timeZone),
    rules: compiled,
    purchaseMax: purchaseMaxOf(caps),
    windowCaps: windowCapsOf(ALL_RULES, caps),
    asksForFirst: rules.some(({ conditions }) => conditions.first_purchase === true),
    asksForTier: rules.some(({ conditions }) => conditions.tiers !== undefined),
    index: indexOf(compiled),
  };
}

/** Whether a rule counts against caps that outlive a purchase: those are bounded per version. */
export function hasWindowCap({ caps }: wire.Rule): boolean {
  return caps.some(({ per }) => per !== 'purchase');
}

function byPrecedence(one: wire.Rule, other: wire.Rule): number {
  return other.priority - one.priority || (one.id < other.id ? -1 : 1);
}

function compiledRule(rule: wire.Rule): CompiledRule {
  const { amount, skus, categories, channels, times, tiers, first_purchase } = rule.conditions;
  return {
    currency: rule.currency,
    amountMin: amount?.min ?? 0,
    amountMax: amount?.max ?? limits.amountMax,
    isFirstOnly: first_purchase === true,
    tiers: tiers === undefined ? null : new Set(tiers),
    asksForLines: skus !== undefined || categories !== undefined,
    skus: skus === undefined ? null : new Set(skus),
    categories: categories === undefined ? null : new Set(categories),
    channels: channels === undefined ? null : new Set(channels),
    times: times === undefined ? null : compiledTimes(times),
    purchaseMax: purchaseMaxOf(rule.caps),
    windowCaps: windowCapsOf(rule.id, rule.caps),
    rule,
  };
}

function compiledTimes({ days, from, to }: NonNullable<wire.Rule['conditions']['times']>): CompiledTimes {
  return {
    days: wire.weekdays.map((day) => days === undefined || days.includes(day)),
    from: minuteOf(from),
    to: minuteOf(to),
  };
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

function purchaseMaxOf(caps: wire.Rule['caps']): number {
  return caps.find(({ per }) => per === 'purchase')?.points ?? limits.amountMax;
}

function windowCapsOf(name: string, caps: wire.Rule['caps']): readonly WindowCap[] {
  return caps.flatMap(({ per, points }) =>
    per === 'purchase' ? [] : [{ counter: `${name}/${per}`, period: per, max: points }],
  );
}

function indexOf(rules: readonly CompiledRule[]): Index {
  const index = { skus: new Map(), categories: new Map(), channels: new Map(), always: [] as number[] };
  for (const [place, { skus, categories, channels }] of rules.entries()) {
    if (skus !== null) file(index.skus, skus, place);
    else if (categories !== null) file(index.categories, categories, place);
    else if (channels !== null) file(index.channels, channels, place);
    else index.always.push(place);
  }
  return index;
}

function file(under: Map<string, number[]>, codes: ReadonlySet<string>, place: number): void {
  for (const code of codes) {
    const places = under.get(code);
    if (places === undefined) under.set(code, [place]);
    else places.push(place);
  }
}

/** The places of rules that can match, each once, in their order (M1). */
export function candidates({ index }: CompiledRules, { lines, channel }: wire.Purchase): readonly number[] {
  const found = new Set(index.always);
  const add = (places: readonly number[] | undefined): void => {
    for (const place of places ?? []) found.add(place);
  };
  for (const { sku, category } of lines) {
    if (sku !== undefined) add(index.skus.get(sku));
    if (category !== undefined) add(index.categories.get(category));
  }
  if (channel !== undefined) add(index.channels.get(channel));
  return found.size === index.always.length ? index.always : [...found].sort((one, other) => one - other);
}

/** The first condition that does not hold, in this order; null: the rule matches. */
export function unmatchedBy(rule: CompiledRule, { purchase, time, isFirst, tier }: Facts): UnmatchedBy | null {
  if (purchase.currency !== rule.currency) return 'currency';
  if (purchase.amount < rule.amountMin || purchase.amount > rule.amountMax) return 'amount';
  if (rule.asksForLines && !purchase.lines.some((line) => countsLine(rule, line))) return 'lines';
  if (rule.channels !== null && !(purchase.channel !== undefined && rule.channels.has(purchase.channel))) {
    return 'channel';
  }
  if (rule.times !== null && !isAt(rule.times, time)) return 'times';
  if (rule.tiers !== null && !(tier !== null && rule.tiers.has(tier))) return 'tiers';
  return rule.isFirstOnly && !isFirst ? 'first_purchase' : null;
}

/** Which part of a purchase a rule that matches looks at. */
export function eligibleAmount(rule: CompiledRule, { amount, lines }: wire.Purchase): number {
  if (!rule.asksForLines) return amount;
  return lines.reduce((sum, line) => (countsLine(rule, line) ? sum + line.amount : sum), 0);
}

function countsLine({ skus, categories }: CompiledRule, { sku, category }: wire.Purchase['lines'][number]): boolean {
  if (skus !== null && !(sku !== undefined && skus.has(sku))) return false;
  return categories === null || (category !== undefined && categories.has(category));
}

/** What goes over midnight belongs to the day on which it began. */
function isAt({ days, from, to }: CompiledTimes, { weekday, minute }: LocalTime): boolean {
  if (from < to) return minute >= from && minute < to && days[weekday] === true;
  if (minute >= from) return days[weekday] === true;
  return minute < to && days[(weekday + 6) % 7] === true;
}
