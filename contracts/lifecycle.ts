/** How a merchant comes, pauses and goes, as it stands on the wire. Which change is allowed when, and to whom: core/merchant. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { merchantStatuses } from './merchants.ts';

export const lifecycleActions = ['submit', 'return', 'activate', 'suspend', 'resume', 'close'] as const;
export type LifecycleAction = (typeof lifecycleActions)[number];

export const createTransition = z
  .strictObject({
    action: z
      .enum(lifecycleActions)
      .describe(
        'The owner submits a draft, and may close; the operator activates or returns what was submitted, suspends, resumes and closes.',
      ),
    reason: fields.reason.describe('Why; kept with the transition and in the audit trail. Never personal data.'),
  })
  .meta({ examples: [{ action: 'suspend', reason: 'chargebacks' }] });
export type CreateTransition = z.infer<typeof createTransition>;

export const transition = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid,
  place: z.int().min(1).describe('1, 2, 3 … of the merchant.'),
  action: z.enum(lifecycleActions),
  from: z.enum(merchantStatuses),
  to: z.enum(merchantStatuses),
  reason: z.string(),
  actor: z.string().describe("A key's id, a member's subject, or `operator`."),
  created_at: fields.timestamp,
});
export type Transition = z.infer<typeof transition>;

export const transitionPage = z.strictObject({
  data: z.array(transition).describe('Newest first.'),
  next_cursor: fields.nextCursor,
});
