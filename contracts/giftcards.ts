/** Gift cards, and all that is done with them, as they stand on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { giftcardActivityKinds, giftcardStateMeanings, giftcardStates } from './giftcard-activities.ts';
import { lastFour } from './giftcard-codes.ts';
import { limits } from './limits.ts';

/** What the caller may write on any transaction. */
const note = { reference: fields.reference.optional(), metadata: fields.metadata.optional() };
const reason = fields.reason;

const day = z.iso
  .date()
  .regex(/^(?!000[01]|9999)/, 'is not between the years 2 and 9998')
  .describe("The last day on which it can be used, in the merchant's time zone.");
const pinWanted = z.boolean().default(false).describe('With a PIN of six digits, which is shown once, like the code.');

export const state = z.enum(giftcardStates).describe(
  Object.entries(giftcardStateMeanings)
    .map(([name, meaning]) => `\`${name}\`: ${meaning}`)
    .join(' '),
);

export const issue = z
  .strictObject({
    program_id: fields.uuid.describe("Its unit is the card's currency."),
    amount: z
      .int()
      .min(0)
      .max(limits.amountMax)
      .describe('What it is activated with, in the smallest unit; 0: nothing. One of the amounts of the catalog item.'),
    catalog_item_id: fields.uuid.optional().describe('A published one, of the currency of the program.'),
    customer_id: fields.uuid.optional(),
    expires_on: day.optional().describe('The last day on which it can be used; as the catalog item says, or never.'),
    activate: z.boolean().default(true).describe('false: it waits, pending, for its activation.'),
    pin: pinWanted,
  })
  .meta({
    examples: [{ program_id: '0199a5a0-0000-7000-8000-000000000001', amount: 5_000, expires_on: '2029-12-31' }],
  });
export type Issue = z.infer<typeof issue>;

export const importCard = z
  .strictObject({
    program_id: fields.uuid.describe("Its unit is the card's currency."),
    amount: fields.amount,
    external_id: fields.externalId.describe('Of the card in the other system; unique among those of a merchant.'),
    customer_id: fields.uuid.optional(),
    expires_on: day.optional().describe('The last day on which it can be used; never by default.'),
    pin: pinWanted,
  })
  .meta({
    examples: [{ program_id: '0199a5a0-0000-7000-8000-000000000001', amount: 1_250, external_id: 'old-system-4711' }],
  });
export type ImportCard = z.infer<typeof importCard>;

export const giftcard = z.strictObject({
  id: fields.uuid,
  program_id: fields.uuid,
  unit: fields.unit,
  state,
  balance: fields.balance,
  held: fields.balance,
  available: fields.balance,
  version: fields.version,
  initial_amount: fields.balance.describe('What it was issued for.'),
  catalog_item_id: fields.uuid.nullable(),
  batch_id: fields.uuid.nullable().describe('The bulk issue that it comes from.'),
  customer_id: fields.uuid.nullable(),
  external_id: fields.externalId.nullable().describe('Of an imported card.'),
  last_four: lastFour.nullable(),
  has_pin: z.boolean(),
  expires_on: z.iso.date().nullable().describe('The last day on which it can be used.'),
  expires_at: fields.timestamp.nullable().describe('The moment at which that day ends for the merchant.'),
  replaces: fields.uuid.nullable().describe('The lost card whose balance it took over.'),
  replaced_by: fields.uuid.nullable(),
  activated_at: fields.timestamp.nullable(),
  deactivated_at: fields.timestamp.nullable(),
  created_at: fields.timestamp,
});
export type Giftcard = z.infer<typeof giftcard>;

export const issuedGiftcard = giftcard.extend({
  code: z
    .string()
    .nullable()
    .describe('Shown once: null when the answer is a replay. Whoever lost it replaces the card.'),
  pin: z.string().nullable().describe('Shown once; null where it has none.'),
});
export type IssuedGiftcard = z.infer<typeof issuedGiftcard>;

export const listQuery = z.strictObject({
  ...fields.pageQuery,
  customer_id: fields.uuid.optional().describe("Only this customer's."),
});
export const giftcardPage = z.strictObject({ data: z.array(giftcard), next_cursor: fields.nextCursor });

export const activity = z.strictObject({
  id: fields.uuid.describe("The transaction's id, where one made it."),
  giftcard_id: fields.uuid,
  activity: z.enum(giftcardActivityKinds as ['issue', ...typeof giftcardActivityKinds]),
  amount: fields.movedAmount.describe('In the smallest unit; 0 where nothing moves.'),
  unit: fields.unit,
  balance_after: fields.balance.nullable().describe('null where no transaction made it.'),
  held_after: fields.balance.nullable().describe('null where no transaction made it.'),
  transaction_id: fields.uuid.nullable().describe('null where nothing was written to the ledger.'),
  reverses: fields.uuid.nullable().describe('Of a refund: the transaction that it gives back.'),
  related_giftcard_id: fields.uuid.nullable().describe('Of a transfer or a replacement: the other card.'),
  customer_id: fields.uuid.nullable().describe('Whom it was linked to, or unlinked from.'),
  reason: fields.reason.nullable(),
  reference: fields.reference.nullable(),
  metadata: fields.metadata.nullable(),
  created_at: fields.timestamp,
});
export type Activity = z.infer<typeof activity>;

export const activityQuery = z.strictObject(fields.pageQuery);
export const activityPage = z.strictObject({
  data: z.array(activity),
  next_cursor: fields.nextCursor,
});

export const load = z.strictObject({ amount: fields.amount, ...note }).meta({ examples: [{ amount: 2_000 }] });
export type Load = z.infer<typeof load>;

export const redeem = z
  .strictObject({ amount: fields.amount.optional().describe('All that is available by default.'), ...note })
  .meta({ examples: [{ amount: 1_300, reference: 'order 4711' }, {}] });
export type Redeem = z.infer<typeof redeem>;

export const refund = z
  .strictObject({
    transaction_id: fields.uuid.optional().describe('The redemption, or the capture, of this card.'),
    amount: fields.amount.optional().describe('Of a transaction: all that has not been given back yet by default.'),
    reason: reason.optional(),
    ...note,
  })
  .check(({ value, issues }) => {
    if (value.transaction_id !== undefined) return;
    for (const member of ['amount', 'reason'] as const) {
      if (value[member] !== undefined) continue;
      issues.push({ code: 'custom', input: value, path: [member], message: 'is missing; or give a transaction' });
    }
  })
  .meta({
    anyOf: [{ required: ['transaction_id'] }, { required: ['amount', 'reason'] }],
    examples: [
      { transaction_id: '0199a5a0-0000-7000-8000-000000000002', amount: 300 },
      { amount: 300, reason: 'goodwill' },
    ],
  });
export type Refund = z.infer<typeof refund>;

export const adjust = z
  .strictObject({
    direction: z.enum(['in', 'out']).describe('`in`: the card gains.'),
    amount: fields.amount,
    reason,
    ...note,
  })
  .meta({ examples: [{ direction: 'out', amount: 100, reason: 'loaded twice' }] });
export type Adjust = z.infer<typeof adjust>;

/** Of what only needs to be said why. */
export const because = z.strictObject({ reason }).meta({ examples: [{ reason: 'reported lost' }] });
export type Because = z.infer<typeof because>;

export const nothing = z.strictObject({});

export const link = z.strictObject({ customer_id: fields.uuid });
export type Link = z.infer<typeof link>;

export const transfer = z.strictObject({
  to_giftcard_id: fields.uuid.describe('Of the same program.'),
  amount: fields.amount.optional().describe('All that is available by default.'),
  ...note,
});
export type Transfer = z.infer<typeof transfer>;

export const replace = z.strictObject({ reason, pin: pinWanted }).meta({ examples: [{ reason: 'reported lost' }] });
export type Replace = z.infer<typeof replace>;

/** `data` of `giftcard.activity.done`, which is for what no ledger transaction tells. */
export const activityEvent = z.strictObject({
  activity_id: fields.uuid,
  giftcard_id: fields.uuid,
  merchant_id: fields.uuid,
  program_id: fields.uuid,
  activity: z.enum(giftcardActivityKinds as ['issue', ...typeof giftcardActivityKinds]),
  customer_id: fields.uuid.nullable(),
  related_giftcard_id: fields.uuid.nullable(),
});
export type ActivityEvent = z.infer<typeof activityEvent>;

/** `data` of `giftcard.expiring`: some days before a card with a balance expires. */
export const expiringEvent = z.strictObject({
  giftcard_id: fields.uuid,
  merchant_id: fields.uuid,
  program_id: fields.uuid,
  customer_id: fields.uuid.nullable(),
  unit: fields.unit,
  balance: fields.balance,
  days_left: z.int().min(0),
  expires_on: z.iso.date(),
  expires_at: fields.timestamp,
});
export type ExpiringEvent = z.infer<typeof expiringEvent>;
