/** Versions of what a program asks of the ledger, as they stand on the wire. Programs themselves stand in merchants.ts. */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';
import * as merchants from './merchants.ts';

const { point_expiry, reversal_policy, hold_expires_in_s } = merchants.program.shape;
const leadS = limits.programVersionLeadMs / 1_000;

const terms = {
  point_expiry: point_expiry.describe(
    'When what is earned from then on expires; null: never. Older points keep theirs.',
  ),
  reversal_policy,
  hold_expires_in_s,
};

/** A version is whole: nothing of it is taken from the one before. */
export const createProgramVersion = z
  .strictObject({
    ...terms,
    effective_from: fields.moment
      .optional()
      .describe(`${leadS} seconds from now by default, and no sooner: until then every process has come to know it.`),
  })
  .meta({
    examples: [
      {
        point_expiry: { period: 'months', count: 24, end_of_month: true },
        reversal_policy: { type: 'recover' },
        hold_expires_in_s: 86_400,
        effective_from: '2099-01-01T00:00:00+01:00',
      },
    ],
  });
export type CreateProgramVersion = z.infer<typeof createProgramVersion>;

export const programVersion = z.strictObject({
  id: fields.uuid.describe("Of the first version: the program's."),
  program_id: fields.uuid,
  version: z.int().min(1).max(limits.programVersionsMax).describe('1, 2, 3 … in the order of creation.'),
  effective_from: fields.timestamp.describe(
    'In force from then until the next moment of another; of two of one moment the later created is.',
  ),
  ...terms,
  created_at: fields.timestamp,
});
export type ProgramVersion = z.infer<typeof programVersion>;

export const programVersionQuery = z.strictObject(fields.pageQuery);
export const programVersionPage = z.strictObject({ data: z.array(programVersion), next_cursor: fields.nextCursor });
