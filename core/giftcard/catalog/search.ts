/**
 * What everybody sees of the catalog, by filters. SQL only.
 *
 * - A page goes down from an id, so a walk over pages repeats nothing, whatever is published meanwhile.
 * - The statement has the conditions that were asked for and no others: each set of filters is planned for itself, by its own
 *   index. There are as many statements as sets of filters: a few hundred at most.
 */
import type { CatalogItemId, catalog } from '@local-plus/contracts';
import type { Database, Parameter } from '../../platform/postgres/index.ts';
import { type ItemRow, itemColumns } from './rows.ts';

export type Filter = Omit<catalog.CatalogQuery, 'limit' | 'cursor'>;

type Conditions = { readonly [Name in keyof Required<Filter>]: (place: string) => string };

/** No index knows what can be bought: so many items are looked at for one page, which may thus be short, or empty. */
export const AMOUNTS_SCAN_MAX = 2_000;

/** A range has the amounts min, min + step, … : the first of them from a bound on must not be past the end. */
const firstOfRange = (from: string): string =>
  `range_min + ((greatest(${from}, range_min) - range_min + range_step - 1) / range_step) * range_step`;

const conditions: Omit<Conditions, 'min' | 'max'> = {
  kind: (place) => `kind = ${place}`,
  brand: (place) => `lower(brand) = lower(${place})`,
  category: (place) => `categories @> array[${place}::text]`,
  country: (place) => `sold_in && array['*', ${place}::text]`,
  currency: (place) => `currency = ${place}`,
  q: (place) => `words @@ websearch_to_tsquery('simple', ${place})`,
};

function amountCondition(min: string, max: string): string {
  return `(exists (select from unnest(denominations) as d where d between ${min} and ${max})
    or coalesce(${firstOfRange(min)} <= least(${max}, range_max), false))`;
}

export interface FoundPage {
  /** Newest first. */
  readonly rows: readonly ItemRow[];
  /** Where the next page begins, below it; null: there is none. */
  readonly nextAfter: CatalogItemId | null;
}

interface LookedAt extends ItemRow {
  readonly meets: boolean;
  readonly place: number;
}

/** Newest first, from below `after` (null: the newest) on; at most `limit`. */
export async function publishedItems(
  database: Pick<Database, 'read'>,
  filter: Filter,
  after: CatalogItemId | null,
  limit: number,
): Promise<FoundPage> {
  const parameters: Parameter[] = [];
  const place = (value: Parameter): string => `$${parameters.push(value)}`;
  const wanted = ["status = 'published'"];
  for (const [name, condition] of Object.entries(conditions) as [keyof typeof conditions, (at: string) => string][]) {
    const value = filter[name];
    if (value !== undefined) wanted.push(condition(place(value)));
  }
  if (after !== null) wanted.push(`id < ${place(after)}::uuid`);
  const where = `where ${wanted.join(' and ')} order by id desc`;
  const { min, max } = filter;
  if (min === undefined && max === undefined) {
    const statement = `select ${itemColumns} from catalog_items ${where} limit ${place(limit + 1)}::int`;
    const rows = await database.read<ItemRow>(statement, parameters);
    return rows.length > limit ? pageTo(rows.slice(0, limit)) : { rows, nextAfter: null };
  }
  const bound = (value: number | undefined, fallback: number) => `${place(String(value ?? fallback))}::bigint`;
  const meets = amountCondition(bound(min, 0), bound(max, Number.MAX_SAFE_INTEGER));
  const statement = `with looked_at as (
      select ${itemColumns}, ${meets} as meets, row_number() over (order by id desc) as place
      from catalog_items ${where} limit ${AMOUNTS_SCAN_MAX}
    ) select * from looked_at where meets or place = ${AMOUNTS_SCAN_MAX} order by id desc limit ${place(limit + 1)}::int`;
  return pageLookedAt(await database.read<LookedAt>(statement, parameters), limit);
}

function pageLookedAt(looked: readonly LookedAt[], limit: number): FoundPage {
  const rows = looked.filter(({ meets }) => meets);
  if (rows.length > limit) return pageTo(rows.slice(0, limit));
  const last = looked.at(-1);
  return { rows, nextAfter: last?.place === AMOUNTS_SCAN_MAX ? last.id : null };
}

function pageTo(rows: readonly ItemRow[]): FoundPage {
  return { rows, nextAfter: rows.at(-1)?.id ?? null };
}
