/**
 * What the rules of a version give for a purchase, and under which caps the ledger may give it. Pure. The order of steps is
 * that of contracts/rules.ts: effects, groups, multipliers, caps.
 *
 * - R1 integers only; one division per rule, rounded down.
 * - R2 no rule, and no purchase, gives more than one transaction may move.
 * - R3 grants stand in the order of the rules. Neighbours under the same caps are one: the ledger gets few, and gives the same.
 */
import type { Cap, Grant } from '@local-plus/actors';
import { limits, type rules as wire } from '@local-plus/contracts';
import {
  type CompiledRule,
  type CompiledRules,
  candidates,
  eligibleAmount,
  type Facts,
  unmatchedBy,
  type WindowCap,
} from './domain.ts';

/** What became of a rule that matched. */
export interface RatedRule {
  readonly rule: CompiledRule;
  readonly eligibleAmount: number;
  /** What it would give without any cap. */
  readonly beforeCaps: number;
  /** The rule of its group that gives more, or as much and comes first. */
  readonly lostTo: CompiledRule | null;
  /** After the caps of a single purchase; the ledger may give less. */
  readonly points: number;
}

/** One on its way through the steps. */
type Offer = { -readonly [Member in keyof RatedRule]: RatedRule[Member] };

/** What matched, in the order of the rules. */
export function rate(rules: CompiledRules, facts: Facts): readonly RatedRule[] {
  const { purchase } = facts;
  const offers: Offer[] = [];
  for (const place of candidates(rules, purchase)) {
    const rule = rules.rules[place] as CompiledRule;
    if (unmatchedBy(rule, facts) === null) offers.push(offerOf(rule, purchase));
  }
  const adding = offers.filter(({ rule }) => !isMultiplier(rule));
  settle(adding);
  let base = 0;
  for (const { lostTo, points } of adding) if (lostTo === null) base = Math.min(base + points, limits.amountMax);
  const multiplying = offers.filter(({ rule }) => isMultiplier(rule));
  for (const offer of multiplying) give(offer, base);
  settle(multiplying);
  let left = rules.purchaseMax;
  for (const offer of offers) {
    offer.points = offer.lostTo === null ? Math.min(offer.points, left) : 0;
    left -= offer.points;
  }
  return offers;
}

function isMultiplier({ rule }: CompiledRule): boolean {
  return rule.effect.type === 'multiplier';
}

function offerOf(rule: CompiledRule, purchase: wire.Purchase): Offer {
  const offer = { rule, eligibleAmount: eligibleAmount(rule, purchase), beforeCaps: 0, lostTo: null, points: 0 };
  if (!isMultiplier(rule)) give(offer, 0);
  return offer;
}

/** @param base what all other rules give together; only multipliers look at it */
function give(offer: Offer, base: number): void {
  const { rule, eligibleAmount: amount } = offer;
  offer.beforeCaps = Math.min(pointsOf(rule.rule.effect, amount, base), limits.amountMax);
  offer.points = Math.min(offer.beforeCaps, rule.purchaseMax);
}

function pointsOf(effect: wire.Rule['effect'], amount: number, base: number): number {
  switch (effect.type) {
    case 'fixed':
      return effect.points;
    case 'points_per_amount':
      return Math.max(share(amount, effect.points, effect.per), effect.minimum ?? 0);
    case 'multiplier':
      return share(base, effect.numerator - effect.denominator, effect.denominator);
  }
}

/** ⌊value × times ÷ by⌋, exact, and at most what a transaction may move. */
export function share(value: number, times: number, by: number): number {
  const product = value * times;
  if (Number.isSafeInteger(product)) return Math.min((product - (product % by)) / by, limits.amountMax);
  const exact = (BigInt(value) * BigInt(times)) / BigInt(by);
  return exact > BigInt(limits.amountMax) ? limits.amountMax : Number(exact);
}

/** Of each group only the rule with the most points counts; of equals, the first. */
function settle(offers: readonly Offer[]): void {
  const best = new Map<string, Offer>();
  for (const offer of offers) {
    const { group } = offer.rule.rule;
    if (group === undefined) continue;
    const leader = best.get(group);
    if (leader === undefined || offer.points > leader.points) best.set(group, offer);
  }
  if (best.size === 0) return;
  for (const offer of offers) {
    const winner = offer.rule.rule.group === undefined ? offer : best.get(offer.rule.rule.group);
    if (winner !== undefined && winner !== offer) offer.lostTo = winner.rule;
  }
}

/** One grant per rule that gives something, in their order, each with the windows of `nowMs`. */
export function grantsOf(rules: CompiledRules, rated: readonly RatedRule[], nowMs: number): readonly Grant[] {
  const ofAll = capsAt(rules, rules.windowCaps, nowMs);
  const grants: Grant[] = [];
  for (const { rule, points } of rated) {
    if (points === 0) continue;
    const caps = rule.windowCaps.length === 0 ? ofAll : [...capsAt(rules, rule.windowCaps, nowMs), ...ofAll];
    grants.push({ points, caps });
  }
  return grants;
}

function capsAt({ calendar }: CompiledRules, caps: readonly WindowCap[], nowMs: number): readonly Cap[] {
  return caps.map(({ counter, period, max }) => ({ counter, untilMs: calendar.endOf(period, nowMs), max }));
}

/** R3. */
export function folded(grants: readonly Grant[]): readonly Grant[] {
  const kept: Grant[] = [];
  for (const grant of grants) {
    const last = kept.at(-1);
    // The caps of all rules are one list; those of a rule of its own are never the same list.
    if (last !== undefined && last.caps === grant.caps) {
      kept[kept.length - 1] = { points: last.points + grant.points, caps: last.caps };
    } else {
      kept.push(grant);
    }
  }
  return kept;
}

/** What the ledger is asked for: in both cases, since only it knows whether the purchase is the first. */
export interface RatedPurchase {
  readonly rules: string;
  readonly first: readonly Grant[];
  readonly later: readonly Grant[];
}

/** @param tier of the wallet; null: none. Looked at only by rules that {@link CompiledRules.asksForTier} */
export function ratePurchase(
  rules: CompiledRules,
  purchase: wire.Purchase,
  tier: string | null,
  nowMs: number,
): RatedPurchase {
  const time = rules.calendar.at(madeAtMs(purchase, nowMs));
  const grants = (isFirst: boolean) => folded(grantsOf(rules, rate(rules, { purchase, time, isFirst, tier }), nowMs));
  const later = grants(false);
  return { rules: rules.id, first: rules.asksForFirst ? grants(true) : later, later };
}

export function madeAtMs({ occurred_at }: wire.Purchase, nowMs: number): number {
  return occurred_at === undefined ? nowMs : Date.parse(occurred_at);
}
