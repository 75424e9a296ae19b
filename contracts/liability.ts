/**
 * Liability: what a program owes its customers, day by day, summed from the ledger's rows.
 *
 * Days are of UTC: so are the days on which points expire, and those that the ledger closes with a root.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

export const day = z
  .string()
  .regex(/^2\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/, 'is not a day, 2YYY-MM-DD')
  .refine(isOfCalendar, { error: 'is not a day of the calendar' })
  .meta({ format: 'date' })
  .describe('A day of UTC.');

function isOfCalendar(text: string): boolean {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

/** Sums of a program may pass 2^53, where JSON's readers begin to round: they are texts, as in the JSON of protocol buffers. */
const sum = z
  .string()
  .regex(/^-?\d{1,30}$/)
  .describe('A decimal integer, as text, of the smallest unit of the program.');

const asOf = fields.timestamp
  .nullable()
  .describe(
    'All transactions before this moment are in the figures; null: the ledger is still read for the first time.',
  );

const flows = {
  issued: sum.describe('Earned and loaded, without what only paid back debt.'),
  redeemed: sum.describe('Burned, redeemed and captured.'),
  expired: sum.describe('Expired unredeemed: the breakage.'),
  adjusted: sum.describe('Adjustments; negative: more out than in.'),
  transferred: sum.describe('Into wallets less out of wallets: not 0 only where transfers are under way at midnight.'),
  reversed: sum.describe('Reversals of what was issued (−), redeemed (+) and adjusted (±).'),
  breakage_ppm: z
    .int()
    .min(0)
    .max(1_000_000)
    .nullable()
    .describe('Of what ended, the part that expired, in millionths, rounded down; null: nothing ended.'),
};

const dayFigures = {
  day,
  opening: sum.describe('Outstanding when the day began.'),
  ...flows,
  closing: sum.describe(
    'Outstanding at its end: opening + issued − redeemed − expired + adjusted + transferred + reversed.',
  ),
  transactions: z.int().min(0).describe('Rows of the ledger that the figures are the sums of.'),
  late_transactions: z.int().min(0).describe('Those of them that were committed after the day had been closed.'),
  is_closed: z.boolean().describe('All that happened on it is in the figures.'),
};
export const liabilityDay = z.strictObject(dayFigures);
export type LiabilityDay = z.infer<typeof liabilityDay>;

const period = {
  from: day.optional().describe('The first day; the first of the current month by default.'),
  to: day.optional().describe('The last day; today by default.'),
};
export const programLiabilityQuery = z.strictObject(period);

export const programLiability = z.strictObject({
  program_id: fields.uuid,
  unit: fields.unit,
  from: day,
  to: day,
  days: z.array(liabilityDay).max(limits.liabilityDaysMax).describe('Every day, also one on which nothing happened.'),
  total: z.strictObject({ opening: sum, ...flows, closing: sum, transactions: z.int().min(0) }),
  value: z
    .array(
      z.strictObject({
        currency: fields.currency,
        amount: sum.describe('In the smallest unit of the currency, rounded down.'),
        rate: z.strictObject({ version: z.int(), points: z.int(), amount: z.int() }),
      }),
    )
    .describe('What the closing balance would pay, by the rates in force at the end of the last day, or now.'),
  as_of: asOf,
});
export type ProgramLiability = z.infer<typeof programLiability>;

export const liabilityQuery = z.strictObject({ ...period, ...fields.pageQuery });
export const liabilityPage = z.strictObject({
  data: z
    .array(z.strictObject({ program_id: fields.uuid, unit: fields.unit, ...dayFigures }))
    .describe('By day, newest first, then by program: those on which something happened.'),
  as_of: asOf,
  next_cursor: fields.nextCursor,
});
export type LiabilityPage = z.infer<typeof liabilityPage>;
