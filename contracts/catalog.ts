/** The public catalog of gift cards, as it stands on the wire. */
import * as z from 'zod';
import * as fields from './fields.ts';

export const createCatalogItem = z.strictObject({
  name: fields.name,
  brand: fields.name,
  currency: z.string().regex(/^[A-Z]{3}$/, 'is not an ISO 4217 code'),
  denominations: z.array(fields.amount).min(1).max(50).describe('Amounts that can be bought, in the smallest unit.'),
});
export type CreateCatalogItem = z.infer<typeof createCatalogItem>;

export const catalogItem = createCatalogItem.extend({
  id: fields.uuid,
  status: z.enum(['published', 'withdrawn']),
  created_at: fields.timestamp,
});
export type CatalogItem = z.infer<typeof catalogItem>;

export const catalogQuery = z.strictObject(fields.pageQuery);
export const catalogPage = z.strictObject({ data: z.array(catalogItem), next_cursor: fields.nextCursor });
