/**
 * The codes of gift cards: how they are written, which typing errors they show, and the look-up of a card by one.
 *
 * A code is 80 random bits as sixteen characters of Crockford's base 32 (0-9 and A-Z without I, L, O, U) and a check character
 * of the same alphabet: `7Q2M-4X9T-B0KD-3HWA-2`. Seen as elements of GF(32), the characters weighted by the powers of a
 * generator sum to zero. That shows every wrong character, every exchange of two (adjacent or not), and every pair of equal
 * characters mistaken for another pair; of anything else, 31 in 32. (Crockford's own modulo 37 shows no more of these, and
 * needs five signs that nobody can dictate.)
 *
 * It is read as people type it: in lower case, with O for 0 and I or L for 1, with spaces and dashes anywhere or nowhere.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';

export const codeAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Without the check character: 80 bits. */
export const codeDataChars = 16;
const GROUP_CHARS = 4;
const canonicalForm = new RegExp(`^[${codeAlphabet}]{${codeDataChars + 1}}$`);
/** Spaces and dashes of all kinds: word processors make their own of them. */
const separators = /[\s\u00ad\u2010-\u2015\u2212-]+/g;

/** x⁵ + x² + 1: primitive, so that x generates all 31 elements that are not zero. */
const MODULUS = 0b100101;
const FIELD_BIT = 0b100000;

function timesX(element: number): number {
  const shifted = element << 1;
  return (shifted & FIELD_BIT) === 0 ? shifted : shifted ^ MODULUS;
}

/** Of characters of the alphabet. */
export function checkCharacter(data: string): string {
  let sum = 0;
  for (const character of data) sum = timesX(sum ^ codeAlphabet.indexOf(character));
  return codeAlphabet.charAt(sum);
}

/** The canonical form of what somebody typed: capital letters, no separators. null: no code is written like this. */
export function readCode(typed: string): string | null {
  if (typed.length > limits.codeTypedCharsMax) return null;
  const code = typed.replaceAll(separators, '').toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  if (!canonicalForm.test(code)) return null;
  return checkCharacter(code.slice(0, codeDataChars)) === code.slice(codeDataChars) ? code : null;
}

/** For people. */
export function groupedCode(canonical: string): string {
  return (canonical.match(new RegExp(`.{1,${GROUP_CHARS}}`, 'g')) ?? []).join('-');
}

/** The last of the random characters: the check character tells nothing that the others do not. */
export function lastFourOf(canonical: string): string {
  return canonical.slice(codeDataChars - GROUP_CHARS, codeDataChars);
}

export const code = z
  .string()
  .min(codeDataChars + 1)
  .max(limits.codeTypedCharsMax)
  .refine((typed) => readCode(typed) !== null, { error: 'is mistyped: no gift card has such a code' })
  // Of which characters a right one is, whatever their order: no other is accepted.
  .meta({ pattern: '^[0-9A-Za-z\\s\\u00ad\\u2010-\\u2015\\u2212-]+$' })
  .describe(
    'As it is typed: case, spaces and dashes do not matter; O is read as 0, I and L as 1. Its check character shows mistyped ones.',
  );

export const lastFour = z
  .string()
  .regex(new RegExp(`^[${codeAlphabet}]{${GROUP_CHARS}}$`))
  .describe('Of the code, before its check character: to tell cards apart.');

export const pin = z.string().regex(/^[0-9]{6}$/, 'is not six digits');

export const lookUp = z
  .strictObject({ code, pin: pin.optional().describe('Of a card that has one.') })
  .meta({ examples: [{ code: '7Q2M-4X9T-B0KD-3HWA-2', pin: '402917' }] });
export type LookUp = z.infer<typeof lookUp>;

export const pinState = z.strictObject({
  giftcard_id: fields.uuid,
  last_four: lastFour,
  has_pin: z.boolean(),
  pin_locked_until: fields.timestamp.nullable().describe('Until then no PIN is looked at, the right one neither.'),
});
export type PinState = z.infer<typeof pinState>;

/** What the holder of a code sees of its card. */
export const lookedUp = z.strictObject({
  giftcard_id: fields.uuid,
  state: z.enum(['pending', 'active', 'blocked', 'exhausted', 'expired', 'deactivated']),
  unit: fields.unit,
  available: fields.balance.describe('What could be redeemed now, by the balance: whether it may be, the state says.'),
  last_four: lastFour,
});
export type LookedUp = z.infer<typeof lookedUp>;
