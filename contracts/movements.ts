/** What moves value beside earn and burn, and what comes of it: adjustments, holds, reversals, freezes, transfers. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

/** What the caller may write on any transaction. */
const note = { reference: fields.reference.optional(), metadata: fields.metadata.optional() };

export const adjust = z.strictObject({
  direction: z.enum(['in', 'out']).describe('`in`: the wallet gains.'),
  amount: fields.amount,
  reason: fields.reason,
  ...note,
});
export type Adjust = z.infer<typeof adjust>;

export const createHold = z.strictObject({
  amount: fields.amount,
  expires_in_s: z
    .int()
    .min(1)
    .max(limits.holdSecondsMax)
    .optional()
    .describe('After so many seconds it is released by itself; what the program says by default.'),
  ...note,
});
export type CreateHold = z.infer<typeof createHold>;

export const capture = z.strictObject({
  amount: fields.amount.optional().describe('All that is left by default.'),
  final: z.boolean().default(false).describe('What is left afterwards is released.'),
  ...note,
});
export type Capture = z.infer<typeof capture>;

export const release = z.strictObject(note);
export type Release = z.infer<typeof release>;

export const reverse = z.strictObject({
  amount: fields.amount.optional().describe('All that has not been reversed yet by default.'),
  reason: fields.reason.optional(),
});
export type Reverse = z.infer<typeof reverse>;

export const freeze = z.strictObject({ reason: fields.reason });
export type Freeze = z.infer<typeof freeze>;

export const createTransfer = z
  .strictObject({ from_wallet_id: fields.uuid, to_wallet_id: fields.uuid, amount: fields.amount, ...note })
  .refine((transfer) => transfer.from_wallet_id !== transfer.to_wallet_id, {
    path: ['to_wallet_id'],
    error: 'is the wallet that it comes from',
  });
export type CreateTransfer = z.infer<typeof createTransfer>;

export const hold = z.strictObject({
  id: fields.uuid.describe('Also the id of the transaction that made it.'),
  wallet_id: fields.uuid.describe("The account: a wallet's id or a gift card's."),
  amount: fields.amount,
  remaining: fields.movedAmount.describe('What is neither captured nor released; 0 when it is closed.'),
  unit: fields.unit,
  status: z
    .enum(['open', 'closed'])
    .describe('One whose time is over cannot be captured any more, and closes by itself a moment later.'),
  expires_at: fields.timestamp,
  reference: fields.reference.nullable(),
  metadata: fields.metadata.nullable(),
  created_at: fields.timestamp,
});
export type Hold = z.infer<typeof hold>;

export const transfer = z.strictObject({
  id: fields.uuid.describe('Also the id of the transaction that took it out of the first wallet.'),
  from_wallet_id: fields.uuid,
  to_wallet_id: fields.uuid,
  amount: fields.amount,
  unit: fields.unit,
  reference: fields.reference.nullable(),
  metadata: fields.metadata.nullable(),
  created_at: fields.timestamp,
});
export type Transfer = z.infer<typeof transfer>;
