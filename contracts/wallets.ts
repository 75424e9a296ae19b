/** Wallets, their balance and their transactions, as they stand on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';

export const createWallet = z.strictObject({
  program_id: fields.uuid,
  customer_id: fields.uuid.optional(),
  external_id: fields.externalId.optional(),
});
export type CreateWallet = z.infer<typeof createWallet>;

export const walletStatus = z.enum(['active', 'frozen', 'closed']);

export const wallet = z.strictObject({
  id: fields.uuid,
  program_id: fields.uuid,
  customer_id: fields.uuid.nullable(),
  external_id: fields.externalId.nullable(),
  unit: fields.unit,
  status: walletStatus,
  balance: fields.balance,
  held: fields.balance,
  available: fields.balance,
  version: fields.version,
  created_at: fields.timestamp,
});
export type Wallet = z.infer<typeof wallet>;

export const walletBalance = z.strictObject({
  wallet_id: fields.uuid,
  unit: fields.unit,
  balance: fields.balance,
  held: fields.balance,
  available: fields.balance,
  version: fields.version,
  as_of: fields.timestamp,
});
export type WalletBalance = z.infer<typeof walletBalance>;

export const balanceQuery = z.strictObject({
  as_of: fields.moment.optional().describe('Any past moment; now by default.'),
});

export const post = z.strictObject({
  amount: fields.amount,
  reference: fields.reference.optional(),
  metadata: fields.metadata.optional(),
});
export type Post = z.infer<typeof post>;

/** Every kind of transaction the ledger knows. */
export const transactionKinds = [
  'earn',
  'burn',
  'hold',
  'capture',
  'release',
  'reverse',
  'adjust',
  'expire',
  'load',
  'redeem',
  'transfer_out',
  'transfer_in',
  'freeze',
  'unfreeze',
] as const;
export type TransactionKind = (typeof transactionKinds)[number];

export const transaction = z.strictObject({
  id: fields.uuid,
  wallet_id: fields.uuid.describe("The account: a wallet's id or a gift card's."),
  kind: z.enum(transactionKinds),
  amount: fields.movedAmount,
  unit: fields.unit,
  balance_after: fields.balance,
  held_after: fields.balance,
  version: fields.version,
  reference: fields.reference.nullable(),
  reversal_of: fields.uuid.nullable().describe('The transaction that this one reverses.'),
  metadata: fields.metadata.nullable(),
  created_at: fields.timestamp,
  rules_id: fields.uuid.optional().describe('Only of an earn for a purchase: the rules that it was made by.'),
});
export type Transaction = z.infer<typeof transaction>;

export const entry = z.strictObject({
  account_id: fields.uuid,
  amount: fields.balance.describe('Positive: into the account. The entries of a transaction sum to zero.'),
});

export const transactionWithEntries = transaction.extend({
  entries: z.array(entry).max(2).describe('Empty where the balance stays: a hold, a freeze.'),
});
export type TransactionWithEntries = z.infer<typeof transactionWithEntries>;

export const pageQuery = z.strictObject({
  ...fields.pageQuery,
  kind: z.enum(transactionKinds).optional(),
  from: fields.moment.optional().describe('At this moment or after it.'),
  to: fields.moment.optional().describe('Before this moment.'),
  reference: fields.reference.optional().describe('With exactly this reference.'),
});
export type PageQuery = z.infer<typeof pageQuery>;
export const transactionPage = z.strictObject({ data: z.array(transaction), next_cursor: fields.nextCursor });
