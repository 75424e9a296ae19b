/**
 * Earn rules: how many points a purchase earns. A program's rules are versions: drafted, added to, published with the moment
 * from which they are in force, and never changed from then on.
 *
 * How they are applied, in this order (integers throughout; each division is rounded down, once, where it says so):
 * 1. a rule matches when each of its conditions holds;
 * 2. `points_per_amount` gives amount × points ÷ per, rounded down, or its `minimum` if that is more;
 *    `fixed` gives its points; what a rule gives is cut to its cap per purchase;
 * 3. of the rules of one `group` only the best counts; rules without a group, and groups, add up;
 * 4. each `multiplier` gives (numerator ÷ denominator − 1) times that sum on top, rounded down: two do not multiply each other;
 * 5. in the order of priority the caps of the whole version, and of each rule per day, week, month or ever, take the rest.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';
import { tierId, tierIds } from './tiers.ts';
import * as wallets from './wallets.ts';

const points = z.int().min(1).max(limits.rulePointsMax);
const currency = z.string().regex(/^[A-Z]{3}$/, 'is not an ISO 4217 code');
const minorUnits = z.int().min(0).max(limits.amountMax).describe('In the smallest unit of the currency.');
const code = fields.text(limits.ruleCodeCharsMax);
const codes = z.array(code).min(1).max(limits.ruleCodesMax);

export const ruleId = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,40}$/, 'is not 1 to 40 letters, digits, _ . or -')
  .describe('Unique in its version. What a rule gave counts for its caps under this id, from version to version.');

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

const timeOfDay = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'is not a time from 00:00 to 23:59');

const conditions = z
  .strictObject({
    amount: z
      .strictObject({ min: minorUnits.optional(), max: minorUnits.optional() })
      .refine(({ min = 0, max = limits.amountMax }) => min <= max, { path: ['max'], error: 'is less than min' })
      .optional()
      .describe('Of the whole purchase, both ends included.'),
    categories: codes.optional().describe('At least one line is of one of these; only such lines count.'),
    skus: codes.optional().describe('At least one line is of one of these; only such lines count.'),
    channels: codes.optional(),
    times: z
      .strictObject({
        days: z.array(z.enum(weekdays)).min(1).max(weekdays.length).optional(),
        from: timeOfDay.default('00:00'),
        to: timeOfDay
          .default('00:00')
          .describe(
            'Before this time. Not after `from`: of the next day; it then belongs to the day on which it began.',
          ),
      })
      .optional()
      .describe('When the purchase was made, by the clocks of the time zone.'),
    tiers: tierIds
      .optional()
      .describe(
        'The wallet is of one of these tiers, as counted a few seconds ago at most; see the tiers of the program.',
      ),
    first_purchase: z.literal(true).optional().describe('No purchase has earned anything in this wallet before.'),
  })
  .describe('All of them have to hold; none: always.');

const pointsPerAmount = z.strictObject({
  type: z.literal('points_per_amount'),
  points,
  per: z.int().min(1).max(limits.amountMax).describe('For so many of the smallest unit of the currency.'),
  minimum: points.optional().describe('At least so many, if the rule matches.'),
});
const fixed = z.strictObject({ type: z.literal('fixed'), points });
const multiplier = z
  .strictObject({
    type: z.literal('multiplier'),
    numerator: z.int().min(2).max(limits.ruleFactorMax),
    denominator: z.int().min(1).max(limits.ruleFactorMax).default(1),
  })
  .refine(({ numerator, denominator }) => numerator > denominator, {
    path: ['numerator'],
    error: 'is not more than denominator',
  })
  .describe('Of what the other rules give together.');

export const capPeriods = ['day', 'week', 'month', 'ever'] as const;
export type CapPeriod = (typeof capPeriods)[number];

const caps = z
  .array(z.strictObject({ per: z.enum(['purchase', ...capPeriods]), points: fields.amount }))
  .max(limits.ruleCapsMax)
  .refine((each) => new Set(each.map(({ per }) => per)).size === each.length, { error: 'names a period twice' })
  .describe(
    'Per purchase, or per wallet and calendar day, week from Monday, month, or ever, by the clocks of the time zone. What is reversed later still counts.',
  );

export const rule = z
  .strictObject({
    id: ruleId,
    name: fields.name.optional(),
    priority: z.int().min(-1_000).max(1_000).default(0).describe('Higher goes first; equal ones by id.'),
    currency: currency.describe('Of the purchase; others earn nothing by this rule.'),
    conditions: conditions.default({}),
    effect: z.discriminatedUnion('type', [pointsPerAmount, fixed, multiplier]),
    group: ruleId.optional().describe('Of the rules of one group only the best counts.'),
    caps: caps.default([]),
  })
  .refine(({ effect, conditions: { categories, skus } }) => effect.type !== 'multiplier' || !(categories ?? skus), {
    path: ['conditions'],
    error: 'a multiplier is of the whole purchase: write points_per_amount for lines',
  });
export type Rule = z.infer<typeof rule>;

function areUnique(rules: readonly { readonly id: string }[]): boolean {
  return new Set(rules.map(({ id }) => id)).size === rules.length;
}
const distinct = { error: 'has two rules with one id' };

const coffee = {
  id: 'double-coffee',
  currency: 'EUR',
  conditions: { categories: ['coffee'], times: { days: ['sat', 'sun'] } },
  effect: { type: 'points_per_amount', points: 1, per: 100 },
  caps: [{ per: 'day', points: 50 }],
};
const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };

export const createRules = z
  .strictObject({
    name: fields.name.optional(),
    time_zone: fields.timeZone
      .default('UTC')
      .describe('IANA: Europe/Berlin, say. Another one than before begins new windows for caps.'),
    caps: caps.default([]).describe('Of all rules together; see those of a rule.'),
    rules: z.array(rule).max(limits.rulesPerRequestMax).refine(areUnique, distinct).default([]),
  })
  .meta({ examples: [{ name: 'Spring', time_zone: 'Europe/Berlin', rules: [base, coffee] }] });
export type CreateRules = z.infer<typeof createRules>;

export const addRules = z
  .strictObject({ rules: z.array(rule).min(1).max(limits.rulesPerRequestMax).refine(areUnique, distinct) })
  .meta({ examples: [{ rules: [coffee] }] });
export type AddRules = z.infer<typeof addRules>;

export const publishRules = z
  .strictObject({ effective_from: fields.moment.optional().describe('Now by default; not before now.') })
  .meta({ examples: [{}, { effective_from: '2099-01-01T00:00:00+01:00' }] });
export type PublishRules = z.infer<typeof publishRules>;

const header = {
  id: fields.uuid,
  program_id: fields.uuid,
  version: z.int().min(1).max(limits.rulesVersionsMax).describe('1, 2, 3 … in the order of creation.'),
  name: fields.name.nullable(),
  status: z.enum(['draft', 'published']),
  effective_from: fields.timestamp
    .nullable()
    .describe('Published rules are in force from then until those of a later moment.'),
  time_zone: z.string(),
  caps: caps,
  rules_count: z.int().min(0).max(limits.rulesMax),
  created_at: fields.timestamp,
  published_at: fields.timestamp.nullable(),
};
export const rulesVersion = z.strictObject(header);
export type RulesVersion = z.infer<typeof rulesVersion>;

export const rulesPage = z.strictObject({
  ...header,
  rules: z.array(rule).describe('In the order in which they were added.'),
  next_cursor: fields.nextCursor,
});
export type RulesPage = z.infer<typeof rulesPage>;

export const rulesQuery = z.strictObject(fields.pageQuery);
export const rulesVersionPage = z.strictObject({ data: z.array(rulesVersion), next_cursor: fields.nextCursor });

const line = z.strictObject({
  sku: code.optional(),
  category: code.optional(),
  amount: minorUnits.describe('Of the whole line, in the smallest unit of the currency.'),
});

export const purchase = z
  .strictObject({
    amount: z.int().min(1).max(limits.amountMax).describe('All of it, in the smallest unit of the currency.'),
    currency,
    lines: z.array(line).max(limits.purchaseLinesMax).default([]),
    channel: code.optional(),
    occurred_at: fields.moment
      .optional()
      .describe('When it was made: for conditions on times. Caps go by when the request is received. Now by default.'),
  })
  .refine(({ amount, lines }) => lines.reduce((sum, each) => sum + each.amount, 0) <= amount, {
    path: ['lines'],
    error: 'come to more than the purchase',
  })
  .describe('The rules in force when the request is received say what it earns.');
export type Purchase = z.infer<typeof purchase>;

const bought = {
  amount: 1250,
  currency: 'EUR',
  lines: [
    { sku: 'espresso', category: 'coffee', amount: 450 },
    { sku: 'cake', category: 'food', amount: 800 },
  ],
  channel: 'store',
};

export const earn = z
  .strictObject({
    amount: fields.amount.optional(),
    purchase: purchase.optional(),
    reference: wallets.post.shape.reference,
    metadata: wallets.post.shape.metadata,
  })
  // One check, not two refinements: every plain earn passes here.
  .check(({ value, issues }) => {
    if ((value.amount === undefined) !== (value.purchase === undefined)) return;
    const [member, message] =
      value.amount === undefined
        ? ['amount', 'is missing; or give a purchase']
        : ['purchase', 'stands beside an amount; give one of them'];
    issues.push({ code: 'custom', input: value, path: [member], message });
  })
  .meta({
    oneOf: [{ required: ['amount'] }, { required: ['purchase'] }],
    examples: [{ amount: 100, reference: 'order 4711' }, { purchase: bought }],
  });
export type Earn = z.infer<typeof earn>;

export const quote = z
  .strictObject({
    purchase,
    wallet_id: fields.uuid.optional().describe('Without it: of a wallet that never earned anything.'),
  })
  .meta({ examples: [{ purchase: bought }] });
export type Quote = z.infer<typeof quote>;

export const unmatchedBy = ['currency', 'amount', 'lines', 'channel', 'times', 'tiers', 'first_purchase'] as const;

const ruleQuote = z.strictObject({
  id: ruleId,
  name: fields.name.nullable(),
  matched: z.boolean(),
  unmatched_by: z.enum(unmatchedBy).nullable().describe('The first condition that does not hold; null if it matched.'),
  eligible_amount: minorUnits.nullable().describe('Which part of the purchase it looked at; null if it did not match.'),
  lost_to: ruleId.nullable().describe('The better rule of its group.'),
  before_caps: fields.movedAmount.describe('What it would give without caps.'),
  points: fields.movedAmount.describe('What it gives: all of them add up to the points of the purchase.'),
});
export type RuleQuote = z.infer<typeof ruleQuote>;

export const quoted = z.strictObject({
  program_id: fields.uuid,
  wallet_id: fields.uuid.nullable(),
  rules_id: fields.uuid,
  rules_version: z.int(),
  tier: tierId.nullable().describe('The tier that rules go by; null: none, no wallet, or no rule asks for one.'),
  points: fields.movedAmount,
  unit: fields.unit,
  refusal: z
    .enum(['account_frozen', 'nothing_earned', 'balance_limit_exceeded', 'counters_limit_exceeded'])
    .nullable()
    .describe('What an earn would be refused with now.'),
  postings: z
    .array(
      z.strictObject({
        kind: z.literal('earn'),
        amount: fields.movedAmount,
        entries: z
          .array(z.strictObject({ account_id: fields.uuid.nullable(), amount: fields.balance }))
          .max(2)
          .describe('They sum to zero. null: the wallet, where none was named.'),
      }),
    )
    .max(1)
    .describe('What an earn would post now; empty if it would be refused.'),
  rules: z
    .array(ruleQuote)
    .max(limits.quoteRulesMax)
    .describe('Those that matched first, then the others, each by priority.'),
  rules_omitted: z.int().describe(`More rules than ${limits.quoteRulesMax} are counted, not shown.`),
});
export type Quoted = z.infer<typeof quoted>;
