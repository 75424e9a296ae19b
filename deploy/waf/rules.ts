/**
 * The zone's rules as data (rules.json), read and checked: every expression must be understood, every action known.
 *
 * They stand before the edge, and are no part of its promises: what they let pass, the edge judges by itself. `bots`
 * and `address-per-minute` exempt requests that show a key, since the edge knows whether the key is real and what its
 * plan allows; made-up keys are counted there on their address.
 */
import * as z from 'zod';
import { compileRule, type Rule, type WafRequest } from './evaluate.ts';
import document from './rules.json' with { type: 'json' };

const actions = ['block', 'managed_challenge'] as const;
export type Action = (typeof actions)[number];

const common = { id: z.string(), description: z.string(), expression: z.string(), enabled: z.boolean() };
const schema = z.strictObject({
  custom: z.array(z.strictObject({ ...common, action: z.enum(actions) })),
  rate_limits: z.array(
    z.strictObject({
      ...common,
      action: z.enum(actions),
      characteristics: z.array(z.string()).min(1),
      period_s: z.int().positive(),
      requests_per_period: z.int().positive(),
      mitigation_timeout_s: z.int().positive(),
    }),
  ),
  managed: z.array(z.strictObject({ ...common, ruleset: z.string().regex(/^[0-9a-f]{32}$/) })),
});

export interface CompiledRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly meets: Rule;
}

export const rules = schema.parse(document);
/** In the order in which the platform runs them. */
export const compiledRules: readonly CompiledRule[] = [...rules.custom, ...rules.rate_limits, ...rules.managed].map(
  ({ id, enabled, expression }) => ({ id, enabled, meets: compileRule(expression) }),
);

/** The ids of the rules that a request meets, enabled or not. */
export function metBy(request: WafRequest): readonly string[] {
  return compiledRules.filter(({ meets }) => meets(request)).map(({ id }) => id);
}
