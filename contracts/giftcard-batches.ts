/**
 * Bulk issue: many gift cards of one kind as a job, and their codes as an encrypted file.
 *
 * The codes are encrypted to a public key that comes with the job: each card is a line of the file, a JWE of its own (RFC 7516,
 * flattened JSON; `ECDH-ES` on P-256, `A256GCM`), which any JOSE library reads. Nobody else can: not this service either.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { lastFour, pin } from './giftcard-codes.ts';
import { limits } from './limits.ts';

/** 32 bytes. */
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'is not 32 bytes of base64url');

export const publicKey = z
  .strictObject({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: coordinate,
    y: coordinate,
    kid: fields.text(limits.nameCharsMax).optional().describe('Written into every line.'),
    use: z.literal('enc').optional(),
    alg: z.literal('ECDH-ES').optional(),
  })
  .describe('A JWK (RFC 7517). Keep its private key: without it the codes are lost.');
export type PublicKey = z.infer<typeof publicKey>;

const expiresOn = z.iso
  .date()
  .regex(/^(?!000[01]|9999)/, 'is not between the years 2 and 9998')
  .describe("The last day on which a card can be used, in the merchant's time zone.");

export const createBatch = z
  .strictObject({
    program_id: fields.uuid.describe("Its unit is the cards' currency."),
    catalog_item_id: fields.uuid.optional().describe('The product that the cards are.'),
    count: z.int().min(1).max(limits.batchCardsMax),
    amount: fields.amount.describe('Of each card, in the smallest unit of the program.'),
    expires_on: expiresOn.optional().describe('Never by default. In the time zone of the merchant.'),
    pin: z
      .boolean()
      .default(false)
      .describe('Each card has a PIN of six digits, too. Slower: some ten cards a second.'),
    activate: z.boolean().default(false).describe('Otherwise they are worth nothing until each is activated.'),
    public_key: publicKey,
  })
  .meta({
    examples: [
      {
        program_id: '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b',
        count: 1_000,
        amount: 2_500,
        public_key: {
          kty: 'EC',
          crv: 'P-256',
          x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
          y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
        },
      },
    ],
  });
export type CreateBatch = z.infer<typeof createBatch>;

export const batchStatuses = ['queued', 'running', 'cancelling', 'cancelled', 'failed', 'done'] as const;
export type BatchStatus = (typeof batchStatuses)[number];

export const fileStatuses = ['pending', 'ready', 'delivered', 'expired', 'none'] as const;
export type FileStatus = (typeof fileStatuses)[number];

export const batch = z.strictObject({
  id: fields.uuid,
  program_id: fields.uuid,
  catalog_item_id: fields.uuid.nullable(),
  count: z.int().min(1).max(limits.batchCardsMax),
  amount: fields.amount,
  expires_on: expiresOn.nullable(),
  pin: z.boolean(),
  activate: z.boolean(),
  status: z
    .enum(batchStatuses)
    .describe('`cancelling`: what is begun is finished. `failed`: cards were refused, `failure` says why.'),
  issued: z.int().min(0).max(limits.batchCardsMax).describe('Cards that are there.'),
  failed: z.int().min(0).max(limits.batchCardsMax).describe('Cards that were refused.'),
  failure: z.string().nullable().describe('The code of the problem that cards were refused with.'),
  file: z
    .enum(fileStatuses)
    .describe('`pending` until the job is at its end; `none`: no card was issued; `delivered` and `expired`: deleted.'),
  file_expires_at: fields.timestamp
    .nullable()
    .describe(`The codes are deleted then, ${limits.batchFileDays} days after the end of the job.`),
  created_at: fields.timestamp,
  ended_at: fields.timestamp.nullable(),
});
export type Batch = z.infer<typeof batch>;

export const batchQuery = z.strictObject(fields.pageQuery);
export const batchPage = z.strictObject({ data: z.array(batch), next_cursor: fields.nextCursor });
export type BatchPage = z.infer<typeof batchPage>;

export const fileQuery = z.strictObject({
  from: z.coerce
    .number()
    .int()
    .min(0)
    .max(limits.batchCardsMax)
    .default(0)
    .describe('Lines that are there already: a download that broke off goes on behind them.'),
});

/** One line of the file. */
export const fileLine = z
  .strictObject({ protected: z.string(), iv: z.string(), ciphertext: z.string(), tag: z.string() })
  .describe('A JWE, flattened JSON, of a card: `{giftcard_id, code, last_four, pin}`.');
export type FileLine = z.infer<typeof fileLine>;

/** What is encrypted in a line. */
export const fileCard = z.strictObject({
  giftcard_id: fields.uuid,
  code: z.string(),
  last_four: lastFour,
  pin: pin.nullable(),
});
export type FileCard = z.infer<typeof fileCard>;

export const confirmFile = z
  .strictObject({
    lines: z
      .int()
      .min(1)
      .max(limits.batchCardsMax)
      .describe('How many were received: another number than the file has is refused, and nothing is deleted.'),
  })
  .meta({ examples: [{ lines: 1_000 }] });
export type ConfirmFile = z.infer<typeof confirmFile>;
