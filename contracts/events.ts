/**
 * The events, each with its version. One envelope; `data` carries the state that consumers need, so that none has to
 * ask back. Keyed by account id on Kafka; per account in version order. Never personal data.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { transactionKinds } from './wallets.ts';

export const topics = {
  ledgerTransactions: 'ledger.transactions.v1',
  walletBalanceUpdated: 'wallet.balance-updated.v1',
  merchantOnboarded: 'merchant.onboarded.v1',
  giftcardOrders: 'giftcard.orders.v1',
  giftcardCatalogUpdated: 'giftcard.catalog-updated.v1',
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

/**
 * The id of the balance event of a transaction: the transaction's id as UUIDv8. Both events of one transaction are
 * thus known without storing either, and differ.
 */
export function balanceEventId(transactionId: string): string {
  return `${transactionId.slice(0, 14)}8${transactionId.slice(15)}`;
}
