/**
 * The events, each with its version. One envelope; `data` carries the state that consumers need, so that none has to
 * ask back. Keyed by account id on Kafka; per account in version order. Never personal data.
 */
import * as z from 'zod';
import { catalogItem } from './catalog.ts';
import { customerStatuses } from './customers.ts';
import * as fields from './fields.ts';
import { batch as giftcardBatch } from './giftcard-batches.ts';
import { activityEvent, expiringEvent } from './giftcards.ts';
import { paymentStatuses } from './payments.ts';
import * as rewards from './rewards.ts';
import * as tiers from './tiers.ts';
import { transactionKinds } from './wallets.ts';

export const topics = {
  ledgerTransactions: 'ledger.transactions.v1',
  walletBalanceUpdated: 'wallet.balance-updated.v1',
  merchantOnboarded: 'merchant.onboarded.v1',
  giftcardOrders: 'giftcard.orders.v1',
  giftcardCatalogUpdated: 'giftcard.catalog-updated.v1',
  giftcardActivities: 'giftcard.activities.v1',
  customerUpdated: 'customer.customer-updated.v1',
  payments: 'payments.payment.v1',
  loyaltyTierChanged: 'loyalty.tier-changed.v1',
  loyaltyRewardRedeemed: 'loyalty.reward-redeemed.v1',
} as const;
export type Topic = (typeof topics)[keyof typeof topics];

export function deadLetterTopic(topic: Topic): string {
  return `${topic}.dlq`;
}

const envelope = {
  event_id: fields.uuid.describe('Equal for every delivery of one event: what consumers de-duplicate by.'),
  occurred_at: fields.timestamp,
  correlation_id: fields.uuid.describe('The request that caused it.'),
  traceparent: z.string().nullable().describe('W3C Trace Context of that request.'),
};

export const ledgerTransactionEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('ledger.transaction.posted'),
  schema_version: z.literal(1),
  data: z.strictObject({
    transaction_id: fields.uuid,
    account_id: fields.uuid,
    contra_account_id: fields.uuid,
    program_id: fields.uuid,
    version: fields.version,
    kind: z.enum(transactionKinds),
    amount: fields.movedAmount,
    balance_delta: fields.balance,
    balance_after: fields.balance,
    held_after: fields.balance,
    reference: fields.reference.nullable(),
  }),
});
export type LedgerTransactionEvent = z.infer<typeof ledgerTransactionEvent>;

export const walletBalanceUpdatedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('wallet.balance.updated'),
  schema_version: z.literal(1),
  data: z.strictObject({
    wallet_id: fields.uuid,
    program_id: fields.uuid,
    version: fields.version,
    balance: fields.balance,
    held: fields.balance,
    available: fields.balance,
  }),
});
export type WalletBalanceUpdatedEvent = z.infer<typeof walletBalanceUpdatedEvent>;

export const merchantOnboardedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('merchant.onboarded'),
  schema_version: z.literal(1),
  data: z.strictObject({ merchant_id: fields.uuid, name: fields.name }),
});
export type MerchantOnboardedEvent = z.infer<typeof merchantOnboardedEvent>;

/** Only of what everybody sees, or saw: a draft is announced by its publication. */
export const catalogUpdatedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('giftcard.catalog.updated'),
  schema_version: z.literal(1),
  data: catalogItem.omit({ in_stock: true, denominations: true }),
});
export type CatalogUpdatedEvent = z.infer<typeof catalogUpdatedEvent>;

export const catalogStockChangedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('giftcard.catalog.stock_changed'),
  schema_version: z.literal(1),
  data: z.strictObject({ id: fields.uuid, in_stock: z.boolean() }).describe('Only when it ran out, or is there again.'),
});
export type CatalogStockChangedEvent = z.infer<typeof catalogStockChangedEvent>;

const customerEvent = {
  ...envelope,
  schema_version: z.literal(1),
  data: z.strictObject({
    customer_id: fields.uuid,
    merchant_id: fields.uuid,
    status: z.enum(customerStatuses),
    version: fields.version,
    merged_into: fields.uuid.nullable(),
    erased_with: z
      .array(fields.uuid)
      .describe(
        'Of an erasure: those who were merged into it, and are erased with it. What a consumer knows of any of them has to go.',
      ),
  }),
};
export const customerCreatedEvent = z.strictObject({ ...customerEvent, event_type: z.literal('customer.created') });
export const customerUpdatedEvent = z.strictObject({ ...customerEvent, event_type: z.literal('customer.updated') });
export const customerMergedEvent = z.strictObject({ ...customerEvent, event_type: z.literal('customer.merged') });
export const customerErasedEvent = z.strictObject({ ...customerEvent, event_type: z.literal('customer.erased') });
export type CustomerEvent = z.infer<typeof customerCreatedEvent | typeof customerErasedEvent>;

const paymentEvent = {
  ...envelope,
  schema_version: z.literal(1),
  data: z.strictObject({
    payment_id: fields.uuid,
    merchant_id: fields.uuid,
    status: z.enum(paymentStatuses),
    amount: fields.movedAmount,
    currency: fields.currency,
    refunded_amount: fields.movedAmount,
    sources: z.array(
      z.strictObject({
        type: z.enum(['wallet', 'giftcard']),
        id: fields.uuid,
        amount: fields.amount.describe("In the payment's currency."),
        points: fields.amount.describe('In the unit of the source.'),
      }),
    ),
    failure_code: z.string().nullable(),
    reference: fields.reference.nullable(),
  }),
};
export const paymentHeldEvent = z.strictObject({ ...paymentEvent, event_type: z.literal('payment.held') });
export const paymentCapturedEvent = z.strictObject({ ...paymentEvent, event_type: z.literal('payment.captured') });
export const paymentFailedEvent = z.strictObject({ ...paymentEvent, event_type: z.literal('payment.failed') });
export const paymentVoidedEvent = z.strictObject({ ...paymentEvent, event_type: z.literal('payment.voided') });
export const paymentRefundedEvent = z.strictObject({
  ...paymentEvent,
  event_type: z.literal('payment.refunded'),
  data: paymentEvent.data.extend({
    refund_id: fields.uuid,
    refund_status: z.enum(['succeeded', 'partial', 'failed']),
    given_back: z
      .array(z.strictObject({ source: z.int(), amount: fields.amount, points: fields.movedAmount }))
      .describe('By place in the sources.'),
  }),
});

export const tierChangedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('loyalty.tier.changed'),
  schema_version: z.literal(1),
  data: tiers.tierChanged,
});
export type TierChangedEvent = z.infer<typeof tierChangedEvent>;

export const giftcardBatchEndedEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('giftcard.batch.ended'),
  schema_version: z.literal(1),
  data: giftcardBatch.pick({ id: true, program_id: true, status: true, issued: true, failed: true }).extend({
    merchant_id: fields.uuid,
  }),
});
export type GiftcardBatchEndedEvent = z.infer<typeof giftcardBatchEndedEvent>;

/** Of what no transaction tells: those are on the ledger's topic. */
export const giftcardActivityEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('giftcard.activity.done'),
  schema_version: z.literal(1),
  data: activityEvent,
});
export type GiftcardActivityEvent = z.infer<typeof giftcardActivityEvent>;

export const giftcardExpiringEvent = z.strictObject({
  ...envelope,
  event_type: z.literal('giftcard.expiring'),
  schema_version: z.literal(1),
  data: expiringEvent,
});
export type GiftcardExpiringEvent = z.infer<typeof giftcardExpiringEvent>;

const rewardEvent = { ...envelope, schema_version: z.literal(1), data: rewards.redemptionTold };
export const rewardRedeemedEvent = z.strictObject({ ...rewardEvent, event_type: z.literal('loyalty.reward.redeemed') });
export const rewardCancelledEvent = z.strictObject({
  ...rewardEvent,
  event_type: z.literal('loyalty.reward.cancelled'),
});
export type RewardEvent = z.infer<typeof rewardRedeemedEvent | typeof rewardCancelledEvent>;

/** What the modules announce: by `event_type`, where it goes, and what it says. The ledger's own events are not among them. */
export const announcedEvents = {
  'merchant.onboarded': { topic: topics.merchantOnboarded, schema: merchantOnboardedEvent },
  'giftcard.catalog.updated': { topic: topics.giftcardCatalogUpdated, schema: catalogUpdatedEvent },
  'giftcard.catalog.stock_changed': { topic: topics.giftcardCatalogUpdated, schema: catalogStockChangedEvent },
  'loyalty.reward.redeemed': { topic: topics.loyaltyRewardRedeemed, schema: rewardRedeemedEvent },
  'loyalty.reward.cancelled': { topic: topics.loyaltyRewardRedeemed, schema: rewardCancelledEvent },
  'loyalty.tier.changed': { topic: topics.loyaltyTierChanged, schema: tierChangedEvent },
  'giftcard.batch.ended': { topic: topics.giftcardOrders, schema: giftcardBatchEndedEvent },
  'giftcard.activity.done': { topic: topics.giftcardActivities, schema: giftcardActivityEvent },
  'giftcard.expiring': { topic: topics.giftcardActivities, schema: giftcardExpiringEvent },
  'payment.held': { topic: topics.payments, schema: paymentHeldEvent },
  'payment.captured': { topic: topics.payments, schema: paymentCapturedEvent },
  'payment.failed': { topic: topics.payments, schema: paymentFailedEvent },
  'payment.voided': { topic: topics.payments, schema: paymentVoidedEvent },
  'payment.refunded': { topic: topics.payments, schema: paymentRefundedEvent },
  'customer.created': { topic: topics.customerUpdated, schema: customerCreatedEvent },
  'customer.updated': { topic: topics.customerUpdated, schema: customerUpdatedEvent },
  'customer.merged': { topic: topics.customerUpdated, schema: customerMergedEvent },
  'customer.erased': { topic: topics.customerUpdated, schema: customerErasedEvent },
} as const satisfies Record<string, { readonly topic: Topic; readonly schema: z.ZodType }>;
export type AnnouncedEventType = keyof typeof announcedEvents;

/**
 * The id of the balance event of a transaction: the transaction's id as UUIDv8. Both events of one transaction are
 * thus known without storing either, and differ.
 */
export function balanceEventId(transactionId: string): string {
  return `${transactionId.slice(0, 14)}8${transactionId.slice(15)}`;
}
