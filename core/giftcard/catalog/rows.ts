/** A row of `catalog_items`, and what it says on the wire. */
import type { CatalogItemId, catalog, MerchantId } from '@local-plus/contracts';
import { type Amounts, amountsOf, type ItemFacts, inOrder } from './domain.ts';

/** What a version of an item says: one JSON parameter of a statement. */
export interface ContentColumns {
  readonly kind: catalog.ItemKind;
  readonly name: string;
  readonly brand: string;
  readonly currency: string;
  readonly denominations: readonly number[];
  readonly range_min: number | null;
  readonly range_max: number | null;
  readonly range_step: number | null;
  readonly validity_months: number | null;
  readonly countries: readonly string[];
  readonly categories: readonly string[];
  readonly images: readonly string[];
  readonly description: string | null;
}

export interface ItemRow extends ContentColumns {
  readonly id: CatalogItemId;
  readonly merchant_id: MerchantId | null;
  readonly stock: number | null;
  readonly status: catalog.ItemStatus;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly request_hash: string;
}

/** Of {@link ContentColumns}, as `json_to_record` is told. */
export const contentRecord = `kind text, name text, brand text, currency text, denominations bigint[], range_min bigint,
  range_max bigint, range_step bigint, validity_months int, countries text[], categories text[], images text[],
  description text`;
export const contentColumns = contentRecord.replaceAll(/ (?:text|bigint|int)(?:\[\])?/g, '');

/** Of {@link ItemRow}: the driver reads no arrays. */
export const itemColumns = `id, merchant_id, kind, name, brand, currency, to_json(denominations) as denominations, range_min,
  range_max, range_step, validity_months, to_json(countries) as countries, to_json(categories) as categories,
  to_json(images) as images, description, stock, status, version, created_at, updated_at,
  encode(request_hash, 'hex') as request_hash`;

export function contentOf(body: Omit<catalog.UpdateItem, 'expected_version'>): ContentColumns {
  const { kind, name, brand, currency, validity_months, images, description } = body;
  const { denominations, range } = amountsOf(body.amounts);
  return {
    kind,
    name,
    brand,
    currency,
    denominations,
    range_min: range?.min ?? null,
    range_max: range?.max ?? null,
    range_step: range?.step ?? null,
    validity_months,
    countries: inOrder(body.countries),
    categories: inOrder(body.categories),
    images,
    description,
  };
}

export function amountsIn(row: ContentColumns): Amounts {
  const { denominations, range_min: min, range_max: max, range_step: step } = row;
  const range = min === null || max === null || step === null ? null : { min, max, step };
  return { denominations, range };
}

export function factsOf(row: ItemRow): ItemFacts {
  return {
    itemId: row.id,
    merchantId: row.merchant_id,
    kind: row.kind,
    status: row.status,
    currency: row.currency,
    validityMonths: row.validity_months,
    ...amountsIn(row),
  };
}

/** What everybody sees. */
export function itemJson(row: ItemRow): catalog.CatalogItem {
  const { range, denominations } = amountsIn(row);
  return {
    id: row.id,
    merchant_id: row.merchant_id,
    kind: row.kind,
    name: row.name,
    brand: row.brand,
    currency: row.currency,
    amounts: range === null ? { type: 'fixed', denominations: [...denominations] } : { type: 'range', ...range },
    denominations: [...denominations],
    validity_months: row.validity_months,
    countries: [...row.countries],
    categories: [...row.categories],
    images: [...row.images],
    description: row.description,
    in_stock: row.stock !== 0,
    status: row.status,
    version: row.version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function managedJson(row: ItemRow): catalog.ManagedItem {
  return { ...itemJson(row), stock: row.stock };
}

/** A row that was kept as JSON. */
export function rowOf(kept: unknown): ItemRow {
  const row = kept as Omit<ItemRow, 'created_at' | 'updated_at'> & { created_at: string; updated_at: string };
  return { ...row, created_at: new Date(row.created_at), updated_at: new Date(row.updated_at) };
}
