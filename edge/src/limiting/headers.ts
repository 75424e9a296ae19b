/**
 * What a caller is told of the limits: RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), and
 * Retry-After (RFC 9110 §10.2.3). Every policy that the request was counted on is named: `address`; or `key` (`customer`),
 * `key-burst`, `key-month`, and the same of `tenant`.
 */
import { edgeLimits } from '../limits.ts';
import type { Take } from './limiter.ts';
import { monthSeconds } from './month.ts';
import type { Left, Plan, PlanTake } from './plan.ts';

/** Whose count decided. */
export type Policy = 'address' | 'key' | 'customer' | 'tenant';

/** What the limiters said of one request. */
export interface Counted {
  /** Of a refusal: who refused. */
  readonly policy: Policy;
  readonly allowed: boolean;
  /** The isolate's own counter stood in for a shared one. */
  readonly standIn: boolean;
  /** Of a refusal: until the same may be allowed. */
  readonly retryMs: number;
  /** The members of both headers. */
  readonly policies: string;
  readonly standing: string;
}

/** One plan that a request was counted on. */
export interface CountedPlan {
  readonly policy: Exclude<Policy, 'address'>;
  readonly plan: Plan;
  readonly take: PlanTake;
}

export function countedOnAddress(limit: number, take: Take): Counted {
  return {
    policy: 'address',
    allowed: take.allowed,
    standIn: take.standIn === true,
    retryMs: take.resetMs,
    policies: policyOf('address', limit, edgeLimits.windowMs / 1_000),
    standing: standingOf('address', take.remaining, take.resetMs),
  };
}

/** `own`: the caller's; `tenant`: its merchant's, where that has a plan and was asked. */
export function countedOnPlans(own: CountedPlan, tenant: CountedPlan | null, nowMs: number): Counted {
  const decisive = tenant !== null && !tenant.take.allowed ? tenant : own;
  const policies = policiesOf(own, nowMs);
  const standing = standingsOf(own);
  return {
    policy: decisive.policy,
    allowed: decisive.take.allowed,
    standIn: own.take.standIn === true || tenant?.take.standIn === true,
    retryMs: decisive.take.retryMs,
    policies: tenant === null ? policies : `${policies}, ${policiesOf(tenant, nowMs)}`,
    standing: tenant === null ? standing : `${standing}, ${standingsOf(tenant)}`,
  };
}

export function rateLimitHeaders({ policies, standing }: Counted): Record<string, string> {
  return policies === '' ? {} : { 'ratelimit-policy': policies, ratelimit: standing };
}

/** Whole seconds, at least one. */
export function retryAfter({ retryMs }: Pick<Counted, 'retryMs'>): string {
  return String(Math.max(1, Math.ceil(retryMs / 1_000)));
}

/** The text changes with the plan and the month only. */
const known = new WeakMap<Plan, { readonly policy: Policy; readonly untilMs: number; readonly text: string }>();

function policiesOf({ policy, plan }: CountedPlan, nowMs: number): string {
  const before = known.get(plan);
  if (before !== undefined && before.policy === policy && nowMs < before.untilMs) return before.text;
  const { burst, minute, month } = plan;
  const text = [
    ...(burst === null ? [] : [policyOf(`${policy}-burst`, burst, edgeLimits.burstWindowMs / 1_000)]),
    ...(minute === null ? [] : [policyOf(policy, minute, edgeLimits.windowMs / 1_000)]),
    ...(month === null ? [] : [policyOf(`${policy}-month`, month, monthSeconds(nowMs))]),
  ].join(', ');
  known.set(plan, { policy, untilMs: nowMs + edgeLimits.windowMs, text });
  return text;
}

function standingsOf({ policy, take }: CountedPlan): string {
  const { burst, minute, month } = take.left;
  let text = memberOf(`${policy}-burst`, burst, take);
  for (const member of [memberOf(policy, minute, take), memberOf(`${policy}-month`, month, take)]) {
    if (member !== '') text = text === '' ? member : `${text}, ${member}`;
  }
  return text;
}

function memberOf(name: string, left: Left | null, { ageMs, leased }: PlanTake): string {
  return left === null ? '' : standingOf(name, left.remaining + leased, Math.max(left.resetMs - ageMs, 0));
}

function policyOf(name: string, limit: number, windowS: number): string {
  return `"${name}";q=${limit};w=${windowS}`;
}

function standingOf(name: string, remaining: number, resetMs: number): string {
  return `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`;
}
