/**
 * Customers, as they stand on the wire: who a person is, what he or she agreed to, and which wallets are theirs.
 *
 * Contact details are shown only by the read of one customer, by its export, and by what has just set them; lists, events,
 * logs and the audit trail have none.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import * as giftcards from './giftcards.ts';
import { limits } from './limits.ts';
import * as tiers from './tiers.ts';
import * as wallets from './wallets.ts';

export const contact = z
  .strictObject({
    name: fields.name.optional(),
    email: z
      .string()
      .max(254)
      .regex(
        /^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$/,
        'is not an e-mail address',
      )
      .optional(),
    phone: z
      .string()
      .regex(/^\+[1-9][0-9]{6,14}$/, 'is not a number in the form of E.164')
      .optional()
      .describe('E.164: `+4930123456`.'),
    birthday: z.iso.date().optional().describe('`YYYY-MM-DD`'),
    locale: z
      .string()
      .regex(/^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?$/, 'is not a language tag')
      .optional()
      .describe('BCP 47: `de`, `pt-BR`, `zh-Hant-TW`.'),
  })
  .describe('Encrypted under a key of this customer alone. Not searched: find a customer by its external id.');
export type Contact = z.infer<typeof contact>;

const externalId = fields.externalId.describe(
  "The merchant's own id of this customer, unique for the merchant. Not encrypted: no e-mail address, no name.",
);
const version = z.int().min(1).max(limits.customerVersionsMax);

export const createCustomer = z.strictObject({
  external_id: externalId.optional(),
  contact: contact.default({}),
});
export type CreateCustomer = z.infer<typeof createCustomer>;

export const updateCustomer = z.strictObject({
  expected_version: version
    .max(limits.customerVersionsMax - 1)
    .describe('The version that was read; another one is there: 409.'),
  external_id: externalId.nullable(),
  contact: contact.describe('All of it: what is not said is removed.'),
});
export type UpdateCustomer = z.infer<typeof updateCustomer>;

export const customerStatuses = ['active', 'merged', 'erased'] as const;
export type CustomerStatus = (typeof customerStatuses)[number];

export const customerSummary = z.strictObject({
  id: fields.uuid,
  external_id: externalId.nullable(),
  status: z
    .enum(customerStatuses)
    .describe('`merged`: it is another one now; `erased`: nobody knows any more who it was. Neither ends.'),
  merged_into: fields.uuid.nullable().describe('Who it is now, after however many merges.'),
  version: version.describe('1, 2, 3 …'),
  created_at: fields.timestamp,
  updated_at: fields.timestamp,
});
export type CustomerSummary = z.infer<typeof customerSummary>;

export const customer = customerSummary.extend({
  contact: contact.nullable().describe('null: erased.'),
});
export type Customer = z.infer<typeof customer>;

export const customerQuery = z.strictObject({
  ...fields.pageQuery,
  external_id: fields.externalId.optional().describe('The one with exactly this external id.'),
});
export const customerPage = z.strictObject({ data: z.array(customerSummary), next_cursor: fields.nextCursor });

export const mergeCustomers = z.strictObject({
  customer_id: fields.uuid.describe('Who is merged into the customer of the path, and is that one from now on.'),
});
export const mergedCustomers = z.strictObject({
  customer_id: fields.uuid.describe('Who stays.'),
  merged_customer_id: fields.uuid,
  merged_at: fields.timestamp,
});
export type MergedCustomers = z.infer<typeof mergedCustomers>;

const slug = z.string().regex(/^[a-z0-9][a-z0-9_.:-]{0,63}$/, 'is not 1 to 64 of a-z, 0-9, _ . : and -');

export const consentStatuses = ['granted', 'withdrawn'] as const;

export const recordConsent = z.strictObject({
  purpose: slug.describe('What it is about: `marketing.email`.'),
  status: z.enum(consentStatuses),
  source: slug.describe('Where it was said: `web:checkout`, `pos:12`. Never personal data.'),
  at: fields.keptMoment
    .optional()
    .describe(
      'When it was said. By default, and where that is still to come: now, and after all that is known of the purpose.',
    ),
});
export type RecordConsent = z.infer<typeof recordConsent>;

export const consent = z.strictObject({
  id: fields.uuid,
  customer_id: fields.uuid.describe('Under which id it was recorded.'),
  purpose: slug,
  status: z.enum(consentStatuses),
  source: slug,
  at: fields.timestamp,
  recorded_at: fields.timestamp,
});
export type Consent = z.infer<typeof consent>;

export const consentQuery = z.strictObject({
  ...fields.pageQuery,
  purpose: slug.optional().describe('With `limit=1`: what holds for this purpose now.'),
});
export const consentPage = z.strictObject({ data: z.array(consent), next_cursor: fields.nextCursor });

export const walletQuery = z.strictObject(fields.pageQuery);
export const walletPage = z.strictObject({ data: z.array(wallets.wallet), next_cursor: fields.nextCursor });

export const exported = z.strictObject({
  exported_at: fields.timestamp,
  customer,
  merged: z.array(customer).describe('Those who were merged into it, with what was known of them.'),
  consents: consentPage,
  wallets: z
    .strictObject({
      data: z.array(
        z.strictObject({
          wallet: wallets.wallet,
          tier: tiers.walletTier.nullable().describe('null: its program has none.'),
          transactions: wallets.transactionPage,
        }),
      ),
      next_cursor: fields.nextCursor,
    })
    .describe('Newest first.'),
  giftcards: giftcards.giftcardPage,
});
export type Exported = z.infer<typeof exported>;
