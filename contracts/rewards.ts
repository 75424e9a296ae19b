/**
 * Rewards: what points are given for, and their redemptions, as they stand on the wire.
 *
 * What a reward gives and costs never changes: who wants it different makes another one. A draft is seen by who manages it, and
 * cannot be redeemed; what is withdrawn comes back no more, and what was redeemed of it stays.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';
import { tierIds } from './tiers.ts';

export const rewardStatuses = ['draft', 'published', 'withdrawn'] as const;
export type RewardStatus = (typeof rewardStatuses)[number];

const discount = z
  .discriminatedUnion('by', [
    z.strictObject({
      type: z.literal('discount'),
      by: z.literal('percentage'),
      hundredths: z.int().min(1).max(10_000).describe('Hundredths of a per cent: 1250 is 12.5 %.'),
    }),
    z.strictObject({
      type: z.literal('discount'),
      by: z.literal('amount'),
      amount: fields.amount.describe('In the smallest unit of the currency.'),
      currency: fields.currency,
    }),
  ])
  .describe('The code of the redemption is what it is shown by at the checkout.');
const product = z.strictObject({ type: z.literal('product'), sku: fields.text(limits.ruleCodeCharsMax) });
const giftcard = z
  .strictObject({
    type: z.literal('gift_card'),
    program_id: fields.uuid.describe('Of the merchant; its unit is the currency of the card.'),
    catalog_item_id: fields.uuid.nullable().default(null).describe('Of which the card is one; null: of none.'),
    amount: fields.amount.describe('What is on the card.'),
  })
  .describe('A card that is active at once; its code is shown once.');
export const gives = z.discriminatedUnion('type', [discount, product, giftcard]);
export type Gives = z.infer<typeof gives>;

export const limitPeriods = ['day', 'week', 'month', 'ever'] as const;

const redemptionLimits = z
  .array(
    z.strictObject({
      per: z.enum(limitPeriods),
      count: z.int().min(1).max(limits.rewardLimitMax),
      of: z
        .enum(['wallet', 'customer'])
        .default('wallet')
        .describe('Of the wallet, or of all wallets of its customer.'),
    }),
  )
  .max(limits.rewardLimitsMax)
  .refine((each) => new Set(each.map(({ per, of }) => `${per} ${of}`)).size === each.length, {
    error: 'names a period twice',
  })
  .describe(
    'At most so many redemptions in a calendar day, week from Monday, or month (UTC), or ever. What is cancelled counts no more. A wallet without a customer has no limit of a customer.',
  );

const stock = z.int().min(0).max(limits.rewardStockMax);

export const createReward = z
  .strictObject({
    name: fields.name,
    description: fields.text(limits.rewardDescriptionCharsMax).nullable().default(null),
    gives,
    points: fields.amount.describe('What it costs.'),
    stock: stock.nullable().default(null).describe('How many there are; null: any number.'),
    limits: redemptionLimits.default([]),
    tiers: tierIds.nullable().default(null).describe('For wallets of one of these tiers only; null: for all.'),
    valid_from: fields.keptMoment.nullable().default(null),
    valid_until: fields.keptMoment.nullable().default(null).describe('Before this moment.'),
  })
  .refine(
    ({ valid_from, valid_until }) => {
      return valid_from === null || valid_until === null || Date.parse(valid_from) < Date.parse(valid_until);
    },
    { path: ['valid_until'], error: 'is not after valid_from' },
  )
  .meta({
    examples: [
      {
        name: 'Five euros off',
        gives: { type: 'discount', by: 'amount', amount: 500, currency: 'EUR' },
        points: 100,
        stock: 1_000,
        limits: [{ per: 'month', count: 2 }],
      },
      { name: 'A mug', gives: { type: 'product', sku: 'mug-blue' }, points: 400 },
    ],
  });
export type CreateReward = z.infer<typeof createReward>;

export const reward = z.strictObject({
  id: fields.uuid,
  program_id: fields.uuid,
  name: fields.name,
  description: z.string().nullable(),
  gives,
  points: fields.amount,
  stock: stock.nullable(),
  stock_left: stock.nullable(),
  limits: redemptionLimits,
  tiers: tierIds.nullable(),
  valid_from: fields.timestamp.nullable(),
  valid_until: fields.timestamp.nullable(),
  status: z.enum(rewardStatuses),
  created_at: fields.timestamp,
  published_at: fields.timestamp.nullable(),
  withdrawn_at: fields.timestamp.nullable(),
});
export type Reward = z.infer<typeof reward>;

export const rewardQuery = z.strictObject({ ...fields.pageQuery, status: z.enum(rewardStatuses).optional() });
export const rewardPage = z.strictObject({ data: z.array(reward), next_cursor: fields.nextCursor });

export const changeStatus = z.strictObject({ reason: fields.reason.optional() }).meta({ examples: [{}] });

/** What a change of its status is answered: what is true from then on. */
export const changedStatus = z.strictObject({ id: fields.uuid, status: z.enum(rewardStatuses), at: fields.timestamp });
export type ChangedStatus = z.infer<typeof changedStatus>;

export const changeStock = z
  .strictObject({
    add: z
      .int()
      .min(-limits.rewardStockMax)
      .max(limits.rewardStockMax)
      .refine((add) => add !== 0, { error: 'changes nothing' })
      .describe('More than there were; less than 0: fewer, of those that are left.'),
  })
  .meta({ examples: [{ add: 50 }] });
export const changedStock = z.strictObject({ id: fields.uuid, stock, stock_left: stock });
export type ChangedStock = z.infer<typeof changedStock>;

export const redeem = z.strictObject({ wallet_id: fields.uuid });
export const cancel = z.strictObject({ reason: fields.reason.optional() }).meta({ examples: [{}] });

export const redemptionStatuses = ['pending', 'completed', 'refused', 'cancelling', 'cancelled'] as const;
export type RedemptionStatus = (typeof redemptionStatuses)[number];

export const redemption = z.strictObject({
  id: fields.uuid,
  reward_id: fields.uuid,
  program_id: fields.uuid,
  wallet_id: fields.uuid,
  name: fields.name,
  gives,
  points: fields.amount,
  status: z.enum(redemptionStatuses).describe('What is `pending` or `cancelling` comes to its end by itself.'),
  code: z
    .string()
    .nullable()
    .describe(
      'What it is shown by at the checkout, or picked up with: grouped for people. null: not completed, or a gift card.',
    ),
  giftcard_id: fields.uuid.nullable(),
  giftcard_code: z.string().nullable().describe('Shown once, in the first answer: null ever after.'),
  transaction_id: fields.uuid.nullable().describe('The burn; null: it was not, or is not yet.'),
  created_at: fields.timestamp,
  completed_at: fields.timestamp.nullable(),
  cancelled_at: fields.timestamp.nullable(),
});
export type Redemption = z.infer<typeof redemption>;

export const walletRedemptionQuery = z.strictObject(fields.pageQuery);
export const redemptionQuery = z.strictObject({
  ...fields.pageQuery,
  reward_id: fields.uuid.optional(),
  code: z
    .string()
    .regex(/^[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}$/, 'is not a code of a redemption')
    .optional(),
});
export const redemptionPage = z.strictObject({ data: z.array(redemption), next_cursor: fields.nextCursor });

/** The data of `loyalty.reward.redeemed` and `loyalty.reward.cancelled`: never the code. */
export const redemptionTold = redemption
  .pick({ reward_id: true, program_id: true, wallet_id: true, points: true, transaction_id: true, giftcard_id: true })
  .extend({ redemption_id: fields.uuid, type: z.enum(['discount', 'product', 'gift_card']) });
export type RedemptionTold = z.infer<typeof redemptionTold>;
