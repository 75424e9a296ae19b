/**
 * Customers' tokens that are refused before they expire, as they stand on the wire: what the operator asks for, and what
 * the edge is told of it.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

export const revocationKinds = ['token', 'subject'] as const;
export type RevocationKind = (typeof revocationKinds)[number];

/** A token's `jti`: visible ASCII. A token with another is refused: it could not be revoked. */
export const tokenIdForm = new RegExp(`^[\\x21-\\x7e]{1,${limits.tokenIdCharsMax}}$`);

export const createRevocation = z.strictObject({
  kind: z.enum(revocationKinds).describe('`token`: one token. `subject`: every token of a customer, old or new.'),
  value: z.string().regex(tokenIdForm, 'is not visible ASCII').describe('The `jti` of a token, or a `sub`.'),
  merchant_id: fields.uuid.optional().describe("Only of this merchant's customers; else of every merchant's."),
  expires_at: fields.moment.describe(
    `In the future, ${limits.revocationDaysMax} days at most. Until then it holds: no earlier than the last such token expires.`,
  ),
});
export type CreateRevocation = z.infer<typeof createRevocation>;

export const revocation = z.strictObject({
  id: fields.uuid,
  kind: z.enum(revocationKinds),
  value: z.string(),
  merchant_id: fields.uuid.nullable(),
  expires_at: fields.timestamp,
  created_at: fields.timestamp,
});
export type Revocation = z.infer<typeof revocation>;

/** Where a reader of the list stands: after everything up to here. Numbers grow in the order of the commits. */
const place = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const listQuery = z.strictObject({ after: place.default(0) });

/** What core tells the edge: what is not expired, oldest first. Never leaves the two. */
export const listPage = z.strictObject({
  data: z.array(
    z.strictObject({
      kind: z.enum(revocationKinds),
      value: z.string(),
      merchant_id: fields.uuid.nullable(),
      expires_at_ms: z.int(),
    }),
  ),
  /** The place after this page; more may follow when the page is full. */
  next: z.int().min(0),
  is_last: z.boolean(),
});
export type ListPage = z.infer<typeof listPage>;
