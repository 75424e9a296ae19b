/** The audit trail as it stands on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

const merchantId = fields.uuid
  .optional()
  .describe(
    "Whose trail: for the operator, who without it reads its own. A merchant's caller reads that merchant's only.",
  );
const action = z.string().regex(/^[a-z_]{1,40}\.[a-z_]{1,40}$/, 'is not the name of an action');
const place = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const entriesQuery = z.strictObject({
  merchant_id: merchantId,
  action: action.optional().describe('`merchant.suspend`, say.'),
  target_id: fields.text(64).optional(),
  from: fields.moment.optional().describe('Not before.'),
  to: fields.moment.optional().describe('Before.'),
  ...fields.pageQuery,
});
export type EntriesQuery = z.infer<typeof entriesQuery>;

export const entry = z.strictObject({
  id: fields.uuid,
  place: z.int().min(1).describe('1, 2, 3 … of the trail, without gaps.'),
  at: fields.timestamp,
  actor: z.strictObject({
    subject: z.string().describe("A key's id, a member's subject, or `operator`."),
    merchant_id: fields.uuid.nullable(),
    ip: z.string().describe('`-`: unknown.'),
  }),
  request_id: z.string(),
  action: z.string(),
  target: z.strictObject({ type: z.string(), id: z.string() }),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  reason: z.string().nullable(),
  hash: z
    .string()
    .describe(
      "Hexadecimal SHA-256 over the hash of the entry before (of the first: over the 16 bytes of the trail's id) and this entry's text.",
    ),
});
export type Entry = z.infer<typeof entry>;

export const entryPage = z.strictObject({
  data: z.array(entry).describe('Newest first.'),
  next_cursor: fields.nextCursor,
});

export const verifyQuery = z.strictObject({
  merchant_id: merchantId,
  after: place
    .default(0)
    .describe(
      `Goes on behind this place, whose hash is believed. One request verifies ${limits.auditVerifyRowsMax} entries.`,
    ),
});

export const verification = z.strictObject({
  verified_to: z.int().min(0).describe('Everything from behind `after` up to here is as it was written. 0: nothing.'),
  hash: z
    .string()
    .nullable()
    .describe('Of the entry at `verified_to`. Kept elsewhere, it shows later whether the newest entries were cut off.'),
  is_last: z.boolean().describe('No entry stands behind `verified_to`.'),
  broken: z
    .strictObject({
      place: z.int().describe('The first that is wrong.'),
      fault: z
        .enum(['missing', 'changed'])
        .describe('`missing`: there is no such entry. `changed`: it is not what was hashed.'),
    })
    .nullable(),
});
export type Verification = z.infer<typeof verification>;
