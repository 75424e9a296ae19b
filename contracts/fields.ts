/**
 * The fields that several resources share. A schema is written once; types, validation at the edge and in core, and
 * OpenAPI come from it.
 */
import * as z from 'zod';
import { limits } from './limits.ts';

/**
 * Text that people wrote: well-formed Unicode without control characters. The document says the same without Unicode
 * properties, which many readers of JSON Schema do not know; lone surrogates are no JSON to begin with (json.ts).
 */
export function text(charsMax: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(charsMax)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'has a control character')
    .meta({ pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$' });
}

export const name = text(limits.nameCharsMax);
export const reference = text(limits.referenceCharsMax).describe("The caller's own reference, an order number say.");
export const reason = text(limits.reasonCharsMax).describe('Why; kept with the transaction. Never personal data.');
export const externalId = text(limits.externalIdCharsMax).describe("The caller's own id of this resource; unique.");

export const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'is not a lower-case UUID')
  .meta({ format: 'uuid' });

export const timestamp = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC, milliseconds.');

/** What callers ask for: in whatever offset, a moment whose year in UTC has four digits and is not 0. */
export const moment = z.iso
  .datetime({ offset: true })
  .regex(/^(?!000[01]|9999)/, 'is not between the years 2 and 9998')
  .meta({ format: 'date-time' });

/** What callers state and we keep: the database gives years of fewer than four digits in a form that is no date elsewhere. */
export const keptMoment = z.iso
  .datetime({ offset: true })
  .regex(/^(?!9999)(19|[2-9][0-9])[0-9]{2}-/, 'is not between the years 1900 and 9998')
  .meta({ format: 'date-time' });

/** What one transaction moves, in the smallest unit of the program. */
export const amount = z
  .int()
  .min(limits.amountMin)
  .max(limits.amountMax)
  .describe('An integer of the smallest unit of the program.');

/** What a transaction that is shown moved: 0 where nothing moves. */
export const movedAmount = z
  .int()
  .min(0)
  .max(limits.amountMax)
  .describe('An integer of the smallest unit of the program; 0 only for `freeze` and `unfreeze`.');

export const balance = z.int().min(-limits.balanceMax).max(limits.balanceMax);
export const version = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .describe('1, 2, 3 … without gaps; 0: no transaction yet.');

export const metadata = z
  .record(
    z.string().regex(/^[A-Za-z0-9_.-]{1,40}$/, 'is not 1 to 40 letters, digits, _ . or -'),
    z.union([text(limits.metadataValueCharsMax), z.int(), z.boolean()]),
  )
  .refine((members) => Object.keys(members).length <= limits.metadataMembersMax, {
    error: `has more than ${limits.metadataMembersMax} members`,
  })
  .meta({ maxProperties: limits.metadataMembersMax })
  .describe('Up to 20 members: strings of 200 characters at most, integers, booleans. Never personal data.');

export const unit = z
  .string()
  .regex(/^[A-Z]{3,6}$/, 'is not 3 to 6 capital letters')
  .describe('PTS, EUR, …');

export const cursor = z.string().regex(/^[A-Za-z0-9_-]{1,200}$/, 'is not a cursor');

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(limits.pageRowsMax).default(limits.pageRowsDefault),
  cursor: cursor.optional(),
};

export const nextCursor = cursor
  .nullable()
  .describe('null on the last page. Until then a page may be short, or empty, where a filter skips much.');

export const timeZone = z
  .string()
  .max(limits.timeZoneCharsMax)
  .regex(/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/, 'is not the name of a time zone')
  .refine(isTimeZone, { error: 'is not a time zone of the IANA database' })
  .describe('Of the IANA database: `Europe/Berlin`.');

export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'is not an ISO 4217 code')
  .describe('ISO 4217: `EUR`.');

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (cause) {
    if (cause instanceof RangeError) return false;
    throw cause;
  }
}
