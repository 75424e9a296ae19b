/**
 * The catalog of gift cards and rewards, as it stands on the wire: what everybody sees of it, and what its owner manages.
 *
 * An item is drafted, published and withdrawn. What it says is changed as a whole, from one version to the next; its stock
 * is counted apart, because every sale changes it.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';
import { httpsUrl } from './merchants.ts';

export const createCatalogItem = z.strictObject({
  name: fields.name,
  brand: fields.name,
  currency: z.string().regex(/^[A-Z]{3}$/, 'is not an ISO 4217 code'),
  denominations: z
    .array(fields.amount)
    .min(1)
    .max(limits.catalogDenominationsMax)
    .describe('Amounts that can be bought, in the smallest unit.'),
});
export type CreateCatalogItem = z.infer<typeof createCatalogItem>;

export const itemKinds = ['gift_card', 'reward'] as const;
export type ItemKind = (typeof itemKinds)[number];

export const itemStatuses = ['draft', 'published', 'withdrawn'] as const;
export type ItemStatus = (typeof itemStatuses)[number];

const kind = z.enum(itemKinds);
const currency = fields.currency;
const country = z
  .string()
  .regex(/^[A-Z]{2}$/, 'is not an ISO 3166-1 alpha-2 code')
  .describe('ISO 3166-1 alpha-2: `DE`.');
const category = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'is not 1 to 40 of a-z, 0-9, _ and -')
  .describe('`food-and-drink`');

/** What can be bought of it, or what it is worth: integers of the smallest unit of the currency. */
export const itemAmounts = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('fixed'),
    denominations: z.array(fields.amount).min(1).max(limits.catalogDenominationsMax),
  }),
  z
    .strictObject({
      type: z.literal('range'),
      min: fields.amount,
      max: fields.amount,
      step: fields.amount.default(1).describe('`min`, `min` + `step`, … up to `max`.'),
    })
    .describe('A `max` below `min` can be drafted, but not published.'),
]);
export type ItemAmounts = z.infer<typeof itemAmounts>;

const stock = z
  .int()
  .min(0)
  .max(limits.catalogStockMax)
  .nullable()
  .describe('How many are left; null: any number of them.');

const described = {
  kind,
  name: fields.name,
  brand: fields.name,
  currency,
  amounts: itemAmounts,
  validity_months: z
    .int()
    .min(1)
    .max(limits.expiryMonthsMax)
    .nullable()
    .default(null)
    .describe('For how long it is good once it is bought; null: as its program says.'),
  countries: z
    .array(country)
    .max(limits.catalogCountriesMax)
    .default([])
    .describe('Where it can be used; none: everywhere.'),
  categories: z.array(category).max(limits.catalogCategoriesMax).default([]),
  images: z.array(httpsUrl).max(limits.catalogImagesMax).default([]).describe('https only; the first is the main one.'),
  description: fields.text(limits.catalogDescriptionCharsMax).nullable().default(null),
};

export const createDraft = z.strictObject({ ...described, stock: stock.default(null) });
export type CreateDraft = z.infer<typeof createDraft>;

const version = z.int().min(1).max(limits.catalogVersionsMax).describe('1, 2, 3 …');
const expectedVersion = version
  .max(limits.catalogVersionsMax - 1)
  .describe('The version that was read; another one is there: 409.');

export const updateItem = z.strictObject({ expected_version: expectedVersion, ...described });
export type UpdateItem = z.infer<typeof updateItem>;

export const changeStatus = z.strictObject({ expected_version: expectedVersion });

/** A sale may come in between: so what is added is said as a difference. */
export const changeStock = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('set'), stock }),
  z.strictObject({
    type: z.literal('add'),
    count: z
      .int()
      .min(-limits.catalogStockMax)
      .max(limits.catalogStockMax)
      .describe('Negative: so many are taken away. Where the stock is not counted, it changes nothing.'),
  }),
]);
export type ChangeStock = z.infer<typeof changeStock>;

export const catalogItem = z.strictObject({
  id: fields.uuid,
  merchant_id: fields.uuid.nullable().describe('Whose it is; null: of the platform.'),
  kind,
  name: fields.name,
  brand: fields.name,
  currency,
  amounts: itemAmounts,
  denominations: z
    .array(fields.amount)
    .max(limits.catalogDenominationsMax)
    .describe('Those of `amounts`, where they are fixed; else none.'),
  validity_months: z.int().min(1).max(limits.expiryMonthsMax).nullable(),
  countries: z.array(country).max(limits.catalogCountriesMax),
  categories: z.array(category).max(limits.catalogCategoriesMax),
  images: z.array(httpsUrl).max(limits.catalogImagesMax),
  description: fields.text(limits.catalogDescriptionCharsMax).nullable(),
  in_stock: z.boolean(),
  status: z.enum(itemStatuses),
  version,
  created_at: fields.timestamp,
  updated_at: fields.timestamp.describe('When it last got a new version.'),
});
export type CatalogItem = z.infer<typeof catalogItem>;

/** What its owner sees of it. */
export const managedItem = catalogItem.extend({ stock });
export type ManagedItem = z.infer<typeof managedItem>;

/** Letters of ASCII in lower case, one space at a time: what means the same is kept once. */
const words = z
  .string()
  .min(1)
  .max(limits.catalogQueryCharsMax)
  .regex(/^[^ \p{Cc}\p{Cs}][^\p{Cc}\p{Cs}]*$/u, 'begins with a space, or has a control character')
  .meta({ pattern: '^[^\\u0000-\\u0020\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$' })
  .overwrite((text) =>
    text
      .replaceAll(/ +/g, ' ')
      .replace(/ $/, '')
      .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()),
  )
  .describe(
    'Words of its name, brand and description: all of them; `"a phrase"`, `or` and `-not` as search engines do.',
  );

export const catalogQuery = z.strictObject({
  ...fields.pageQuery,
  kind: kind.optional(),
  brand: fields.name.optional().describe('Exactly this brand, in whatever case.'),
  category: category.optional(),
  country: country.optional().describe('What can be used there.'),
  currency: currency.optional(),
  q: words.optional(),
  min: z.coerce
    .number()
    .int()
    .min(limits.amountMin)
    .max(limits.amountMax)
    .optional()
    .describe('Has an amount from here on, in the smallest unit of its currency.'),
  max: z.coerce
    .number()
    .int()
    .min(limits.amountMin)
    .max(limits.amountMax)
    .optional()
    .describe('… and up to here: one that meets both.'),
});
export type CatalogQuery = z.output<typeof catalogQuery>;

export const catalogPage = z.strictObject({ data: z.array(catalogItem), next_cursor: fields.nextCursor });

export const managedQuery = z.strictObject({
  ...fields.pageQuery,
  status: z.enum(itemStatuses).optional(),
  kind: kind.optional(),
});
export const managedPage = z.strictObject({ data: z.array(managedItem), next_cursor: fields.nextCursor });
