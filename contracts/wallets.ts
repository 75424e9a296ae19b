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
  as_of: z.iso.datetime({ offset: true }).optional().describe('Any past moment; now by default.'),
});

export const post = z.strictObject({
  amount: fields.amount,
  reference: fields.reference.optional(),
  metadata: fields.metadata.optional(),
});
export type Post = z.infer<typeof post>;

/** Every kind of transaction the ledger knows. `earn` and `burn` can be posted; the others come with their routes. */
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
] as const;
export type TransactionKind = (typeof transactionKinds)[number];

export const transaction = z.strictObject({
  id: fields.uuid,
  wallet_id: fields.uuid,
  kind: z.enum(transactionKinds),
  amount: fields.amount,
  unit: fields.unit,
  balance_after: fields.balance,
  held_after: fields.balance,
  version: fields.version,
  reference: fields.reference.nullable(),
  reversal_of: fields.uuid.nullable(),
  metadata: fields.metadata.nullable(),
  created_at: fields.timestamp,
});
export type Transaction = z.infer<typeof transaction>;

export const entry = z.strictObject({
  account_id: fields.uuid,
  amount: fields.balance.describe('Positive: into the account. The entries of a transaction sum to zero.'),
});

export const transactionWithEntries = transaction.extend({ entries: z.array(entry).max(2) });
export type TransactionWithEntries = z.infer<typeof transactionWithEntries>;

export const pageQuery = z.strictObject(fields.pageQuery);
export const transactionPage = z.strictObject({ data: z.array(transaction), next_cursor: fields.nextCursor });
