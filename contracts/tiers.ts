/**
 * Tiers: what a wallet has reached by the points that it earned in a rolling window.
 *
 * - Days are of the UTC calendar. Points count on the day on which they were earned, and on as many after it as the window has.
 *   What is reversed counts as never earned; points that came in another way than by an earn count nothing.
 * - A window bears the highest tier whose threshold its points reach. A wallet is of the highest tier that its window bore on any
 *   of the last days: today, and as many before as the grace has. So it rises at once, and falls when the grace is over.
 * - New tiers of a program hold for all of its wallets at once, and for what they have earned before.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

export const tierId = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,40}$/, 'is not 1 to 40 letters, digits, _ . or -')
  .describe('Unique in its program; what conditions name it by.');
export const tierIds = z.array(tierId).min(1).max(limits.tiersMax);

const tier = z.strictObject({
  id: tierId,
  name: fields.name,
  points: fields.amount.describe('Earned in the window, from which on it is reached.'),
});
export type Tier = z.infer<typeof tier>;

const window = z
  .discriminatedUnion('period', [
    z.strictObject({ period: z.literal('days'), count: z.int().min(1).max(limits.tierWindowDaysMax) }),
    z.strictObject({ period: z.literal('months'), count: z.int().min(1).max(limits.tierWindowMonthsMax) }),
  ])
  .describe('How long what was earned counts: the day on which it was earned included.');

const scheme = {
  window,
  grace_days: z
    .int()
    .min(0)
    .max(limits.tierGraceDaysMax)
    .describe('How many days longer than its window bears it a tier is kept.'),
  tiers: z
    .array(tier)
    .max(limits.tiersMax)
    .describe('The lowest first. Who has reached none is of none; empty: nobody is of any.'),
};

export const setTiers = z
  .strictObject({ ...scheme, grace_days: scheme.grace_days.default(0) })
  .refine(({ tiers }) => new Set(tiers.map(({ id }) => id)).size === tiers.length, {
    path: ['tiers'],
    error: 'has two tiers with one id',
  })
  .refine(({ tiers }) => tiers.every(({ points }, place) => place === 0 || points > (tiers[place - 1]?.points ?? 0)), {
    path: ['tiers'],
    error: 'is not in the order of points, each with more',
  })
  .meta({
    examples: [
      {
        window: { period: 'months', count: 12 },
        grace_days: 30,
        tiers: [
          { id: 'silver', name: 'Silver', points: 1_000 },
          { id: 'gold', name: 'Gold', points: 5_000 },
        ],
      },
    ],
  });
export type SetTiers = z.infer<typeof setTiers>;

export const tierScheme = z.strictObject({
  program_id: fields.uuid,
  version: z.int().min(1).max(limits.tierSchemesMax).describe('1, 2, 3 …; the newest holds.'),
  ...scheme,
  created_at: fields.timestamp,
});
export type TierScheme = z.infer<typeof tierScheme>;

export const tierQuery = z.strictObject(fields.pageQuery);
export const tierSchemePage = z.strictObject({ data: z.array(tierScheme), next_cursor: fields.nextCursor });

const points = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export const walletTier = z.strictObject({
  wallet_id: fields.uuid,
  program_id: fields.uuid,
  tiers_version: z.int().describe('Of the tiers of the program.'),
  tier: tier.nullable().describe('null: none is reached.'),
  since: fields.timestamp.nullable().describe('Of that tier, or of none after one; null: there never was one.'),
  points: points.describe('Earned in the window that ends today.'),
  next: tier
    .extend({ missing: points.describe('So many points earned in the window are missing.') })
    .nullable()
    .describe('null: it is the highest.'),
  safe_until: fields.timestamp
    .nullable()
    .describe('Before then it does not fall, unless an earn is reversed; null: there is none.'),
  as_of: fields.timestamp,
});
export type WalletTier = z.infer<typeof walletTier>;

export const tierCauses = ['earn', 'reversal', 'time', 'tiers'] as const;

const change = {
  place: z.int().min(1).describe('1, 2, 3 … of the wallet.'),
  from_tier: tierId.nullable(),
  to_tier: tierId.nullable(),
  direction: z.enum(['promotion', 'demotion']),
  cause: z
    .enum(tierCauses)
    .describe('`time`: the window bore it no more, and the grace was over; `tiers`: the program has other tiers.'),
  points: points.describe('In the window, then.'),
  tiers_version: z.int(),
  at: fields.timestamp,
};
export const tierChange = z.strictObject(change);
export type TierChange = z.infer<typeof tierChange>;
export const tierChangePage = z.strictObject({ data: z.array(tierChange), next_cursor: fields.nextCursor });

/** The data of `loyalty.tier.changed`. */
export const tierChanged = z.strictObject({ wallet_id: fields.uuid, program_id: fields.uuid, ...change });
export type TierChanged = z.infer<typeof tierChanged>;
