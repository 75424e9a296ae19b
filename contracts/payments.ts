/**
 * Payments: one amount of money, taken from several wallets and gift cards at once, or from none of them. And the rates at
 * which points of a program pay.
 *
 * The rate is the merchant's: no request can name another one. What a caller may say is how many points it reckons with.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

/** Of a payment, in the smallest unit of its currency. */
const money = z
  .int()
  .min(limits.amountMin)
  .max(limits.amountMax)
  .describe('An integer of the smallest unit of the currency.');
const moneyOrNone = z.int().min(0).max(limits.amountMax).describe('An integer of the smallest unit of the currency.');
const part = money.optional().describe('What this source pays; one source may leave it out, and pays the rest.');

const walletSource = z.strictObject({
  type: z.literal('wallet'),
  wallet_id: fields.uuid,
  amount: part,
  points: fields.amount
    .optional()
    .describe('What the caller reckons with; when the rate says otherwise the payment is refused.'),
});
const giftcardSource = z.strictObject({ type: z.literal('giftcard'), giftcard_id: fields.uuid, amount: part });
export const paymentSource = z.discriminatedUnion('type', [walletSource, giftcardSource]);
export type PaymentSource = z.infer<typeof paymentSource>;

const sources = z
  .array(paymentSource)
  .min(1)
  .max(limits.paymentSourcesMax)
  .describe('In the order of taking. Their amounts add up to the amount of the payment.');

interface Asked {
  readonly amount: number;
  readonly sources: readonly PaymentSource[];
}

/** The rest is what one source pays that does not say how much: there has to be something left for it. */
function addsUp({ amount, sources: from }: Asked): boolean {
  const rests = from.filter((source) => source.amount === undefined).length;
  const said = from.reduce((sum, source) => sum + (source.amount ?? 0), 0);
  return rests === 0 ? said === amount : rests === 1 && said < amount;
}
const sum = { path: ['sources'], error: 'do not add up to the amount' };

export const quotePayment = z.strictObject({ amount: money, currency: fields.currency, sources }).refine(addsUp, sum);

export const createPayment = z
  .strictObject({
    amount: money,
    currency: fields.currency,
    sources,
    capture: z.boolean().default(true).describe('false: it is held until it is captured, voided, or its time is over.'),
    expires_in_s: z
      .int()
      .min(1)
      .max(limits.paymentSecondsMax)
      .default(limits.paymentSecondsMax)
      .describe('How long it can be captured; then it is voided by itself. Only of one that is not captured at once.'),
    reference: fields.reference.optional(),
    refund_order: z
      .array(
        z
          .int()
          .min(0)
          .max(limits.paymentSourcesMax - 1),
      )
      .max(limits.paymentSourcesMax)
      .optional()
      .describe(
        'Which source gets money back first: places in `sources`, from 0, each once. The last one first by default.',
      ),
  })
  .refine(addsUp, sum)
  .refine(({ sources: from, refund_order: order }) => order === undefined || isOrder(order, from.length), {
    path: ['refund_order'],
    error: 'does not name each source once',
  });
export type CreatePayment = z.infer<typeof createPayment>;

function isOrder(order: readonly number[], count: number): boolean {
  return order.length === count && new Set(order).size === count && order.every((place) => place < count);
}

export const refundPayment = z.strictObject({
  amount: money.optional().describe('All that has not been refunded yet by default.'),
  reason: fields.reason.optional(),
});
export type RefundPayment = z.infer<typeof refundPayment>;

const rateFraction = z
  .strictObject({
    points: z.int().min(1).max(limits.ratePartMax),
    amount: z.int().min(1).max(limits.ratePartMax).describe('In the smallest unit of the currency.'),
  })
  .describe('So many points pay so much. What an amount takes is rounded up to a whole point.');

export const setPaymentRate = z.strictObject({
  currency: fields.currency,
  rate: rateFraction.nullable().describe('null: from now on points of the program pay nothing in this currency.'),
});

export const paymentRate = z.strictObject({
  program_id: fields.uuid,
  version: z.int().min(1).max(limits.paymentRatesMax).describe('1, 2, 3 … over all currencies of the program.'),
  currency: fields.currency,
  rate: rateFraction.nullable(),
  created_at: fields.timestamp.describe('From then on it is in force, until the next version of its currency.'),
});
export type PaymentRate = z.infer<typeof paymentRate>;
export const paymentRateQuery = z.strictObject({ ...fields.pageQuery });
export const paymentRatePage = z.strictObject({ data: z.array(paymentRate), next_cursor: fields.nextCursor });

const rateUsed = z.strictObject({ version: z.int(), points: z.int(), amount: z.int() });

const quotedWallet = z.strictObject({
  type: z.literal('wallet'),
  wallet_id: fields.uuid,
  amount: money,
  points: fields.movedAmount.describe('What the wallet would give.'),
  unit: fields.unit,
  rate: rateUsed,
  available: fields.balance.describe('Points that the wallet could give now.'),
  amount_max: z.int().min(0).max(limits.balanceMax).describe('What they would pay at most.'),
});
const quotedGiftcard = z.strictObject({
  type: z.literal('giftcard'),
  giftcard_id: fields.uuid,
  amount: money,
  available: fields.balance,
  amount_max: z.int().min(0).max(limits.balanceMax),
});
export const quotedPayment = z.strictObject({
  amount: money,
  currency: fields.currency,
  sources: z.array(z.discriminatedUnion('type', [quotedWallet, quotedGiftcard])).max(limits.paymentSourcesMax),
});
export type QuotedPayment = z.infer<typeof quotedPayment>;

export const paymentStatuses = ['holding', 'held', 'capturing', 'captured', 'releasing', 'failed', 'voided'] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

const taken = {
  hold_id: fields.uuid.nullable().describe('The transaction that set it aside.'),
  capture_id: fields.uuid.nullable().describe('The transaction that took it.'),
  refunded_amount: moneyOrNone.describe('Part of the amount that went back, or is on its way back.'),
};
const paidWallet = z.strictObject({
  type: z.literal('wallet'),
  wallet_id: fields.uuid,
  amount: money,
  points: fields.movedAmount,
  unit: fields.unit,
  rate: rateUsed.describe('As it was when the payment was created.'),
  ...taken,
  refunded_points: fields.movedAmount,
});
const paidGiftcard = z.strictObject({ type: z.literal('giftcard'), giftcard_id: fields.uuid, amount: money, ...taken });

export const payment = z.strictObject({
  id: fields.uuid,
  amount: money,
  currency: fields.currency,
  status: z
    .enum(paymentStatuses)
    .describe('`holding`, `capturing`, `releasing` are on their way and settle by themselves.'),
  sources: z.array(z.discriminatedUnion('type', [paidWallet, paidGiftcard])).max(limits.paymentSourcesMax),
  refunded_amount: moneyOrNone,
  refund_order: z.array(z.int()).max(limits.paymentSourcesMax),
  failure: z
    .strictObject({ code: z.string(), source: z.int().nullable().describe('Its place in `sources`, from 0.') })
    .nullable()
    .describe('Of one that failed.'),
  reference: fields.reference.nullable(),
  expires_at: fields.timestamp.nullable().describe('Of one that is not captured at once.'),
  created_at: fields.timestamp,
});
export type Payment = z.infer<typeof payment>;

export const paymentQuery = z.strictObject({ ...fields.pageQuery });
export const paymentPage = z.strictObject({ data: z.array(payment), next_cursor: fields.nextCursor });

export const refundStatuses = ['pending', 'succeeded', 'partial', 'failed'] as const;
export const refund = z.strictObject({
  id: fields.uuid,
  payment_id: fields.uuid,
  amount: money,
  status: z.enum(refundStatuses).describe('`partial`, `failed`: what could not be given back can be asked for again.'),
  parts: z
    .array(
      z.strictObject({
        source: z.int().describe('Its place in the sources of the payment, from 0.'),
        amount: money,
        points: fields.movedAmount.describe('In the unit of the source; 0: the part is less than a point.'),
        transaction_id: fields.uuid.nullable().describe('The reversal; null: nothing has moved.'),
        refusal: z.string().nullable().describe('The code of the problem that stood in the way.'),
      }),
    )
    .max(limits.paymentSourcesMax),
  reason: fields.reason.nullable(),
  created_at: fields.timestamp,
});
export type Refund = z.infer<typeof refund>;
export const refundPage = z.strictObject({ data: z.array(refund), next_cursor: fields.nextCursor });
