/** Filters of the public catalog on real Postgres, against a plain look at every item; pages; what the planner makes of them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type CatalogItemId, catalog, uuidV7, validateQuery } from '@local-plus/contracts';
import fc from 'fast-check';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { AMOUNTS_SCAN_MAX, type Filter, type FoundPage, publishedItems } from './search.ts';

interface Sample {
  readonly id: CatalogItemId;
  readonly kind: catalog.ItemKind;
  readonly name: string;
  readonly brand: string;
  readonly currency: string;
  readonly denominations: readonly number[];
  readonly range: readonly [number, number, number] | null;
  readonly countries: readonly string[];
  readonly categories: readonly string[];
  readonly status: catalog.ItemStatus;
}

const words = ['alpha', 'Beta', 'gamma', 'Ärger'];
const brands = ['Acme', 'ACME', 'Bolt'];
const countries = ['DE', 'FR', 'IT'];
const categories = ['food', 'toys'];
const seed = 20_261_121;

const sample = fc.record({
  kind: fc.constantFrom(...catalog.itemKinds),
  name: fc.subarray(words, { minLength: 1 }).map((some) => some.join(' ')),
  brand: fc.constantFrom(...brands),
  currency: fc.constantFrom('EUR', 'USD'),
  amounts: fc.oneof(
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
    fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 })),
  ),
  isRange: fc.boolean(),
  countries: fc.subarray(countries),
  categories: fc.subarray(categories),
  status: fc.constantFrom<catalog.ItemStatus>('published', 'published', 'published', 'draft', 'withdrawn'),
});

const filters: fc.Arbitrary<Filter> = fc.record(
  {
    kind: fc.constantFrom(...catalog.itemKinds),
    brand: fc.constantFrom('acme', 'Bolt', 'none'),
    category: fc.constantFrom(...categories),
    country: fc.constantFrom(...countries, 'US'),
    currency: fc.constantFrom('EUR', 'USD'),
    q: fc.constantFrom('alpha', 'beta gamma', 'ärger', 'acme', 'alpha -beta'),
    min: fc.integer({ min: 1, max: 45 }),
    max: fc.integer({ min: 1, max: 45 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Filter>;

/** Whether the item meets the filter, by looking at each of its amounts and words. */
function meets(item: Sample, filter: Filter): boolean {
  const { kind, brand, category, country, currency, q, min = 1, max = 1_000 } = filter;
  const amounts: number[] = [...item.denominations];
  if (item.range !== null) {
    const [from, to, step] = item.range;
    for (let amount = from; amount <= to; amount += step) amounts.push(amount);
  }
  const hasAmount =
    filter.min === undefined && filter.max === undefined ? true : amounts.some((a) => a >= min && a <= max);
  const text = `${item.name} ${item.brand}`.toLowerCase().split(' ');
  const hasWords = (q?.toLowerCase().split(' ') ?? []).every((word) =>
    word.startsWith('-') ? !text.includes(word.slice(1)) : text.includes(word),
  );
  return (
    item.status === 'published' &&
    (kind === undefined || kind === item.kind) &&
    (brand === undefined || brand.toLowerCase() === item.brand.toLowerCase()) &&
    (category === undefined || item.categories.includes(category)) &&
    (country === undefined || item.countries.length === 0 || item.countries.includes(country)) &&
    (currency === undefined || currency === item.currency) &&
    hasAmount &&
    hasWords
  );
}

describe('a search of the catalog', () => {
  let database: TestDatabase;
  const items: Sample[] = [];

  before(async () => {
    database = await startDatabase();
    for (const drawn of fc.sample(sample, { seed, numRuns: 400 })) {
      const { amounts, isRange, ...rest } = drawn;
      const [from = 1, to = 1, step = 1] = amounts;
      // Ids of one millisecond have no order.
      const id = uuidV7<CatalogItemId>(1_700_000_000_000 + items.length);
      const range = isRange ? ([from, to, step] as const) : null;
      items.push({ ...rest, id, denominations: range === null ? amounts : [], range });
    }
    for (const { id, kind, name, brand, currency, denominations, range, status, ...lists } of items) {
      await database.sql`insert into catalog_items
        (id, kind, name, brand, currency, denominations, range_min, range_max, range_step, countries, categories, status,
          creator, idempotency_key, request_hash)
        values (${id}, ${kind}, ${name}, ${brand}, ${currency}, ${denominations as number[]}, ${range?.[0] ?? null},
          ${range?.[1] ?? null}, ${range?.[2] ?? null}, ${lists.countries as string[]}, ${lists.categories as string[]},
          ${status}, ${id}, 'k', '')`;
    }
  });
  after(() => database.close());

  it('finds exactly what meets every filter, newest first, in pages of any size', async () => {
    const pool = database.pool();
    const property = fc.asyncProperty(filters, fc.integer({ min: 7, max: 100 }), async (filter, size) => {
      const found: string[] = [];
      let after: CatalogItemId | null = null;
      do {
        const page: FoundPage = await publishedItems(pool, filter, after, size);
        found.push(...page.rows.map(({ id }) => id));
        after = page.nextAfter;
      } while (after !== null);
      const wanted = items.filter((item) => meets(item, filter)).map(({ id }) => id);
      assert.deepEqual(found, wanted.reverse());
    });
    await fc.assert(property, { seed, numRuns: 300 });
  });

  it('takes any words for words: no text is an error', async () => {
    const pool = database.pool();
    const property = fc.asyncProperty(fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' }), async (q) => {
      const read = validateQuery(catalog.catalogQuery, new URLSearchParams({ q }).toString());
      if (read.ok) await publishedItems(pool, { q: read.value.q }, null, 5);
    });
    await fc.assert(property, { seed, numRuns: 300 });
    for (const q of ['"', '-', 'or', 'a & b | !c:*', "'; drop table", '\\', '%', '('])
      await publishedItems(pool, { q }, null, 5);
  });

  it('looks at so many items for one page of amounts, and goes on from there', async () => {
    const pool = database.pool();
    const filler = 'EUF';
    await database.sql`insert into catalog_items (id, name, brand, currency, denominations, status, creator, idempotency_key, request_hash)
      select ('01a00000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'N', 'B', ${filler},
        case when i in (1, ${AMOUNTS_SCAN_MAX + 5}) then '{77}'::bigint[] else '{5}' end, 'published', gen_random_uuid(), 'k', ''
      from generate_series(1, ${AMOUNTS_SCAN_MAX + 5}) as i`;
    const filter = { currency: filler, min: 70, max: 80 };
    const first = await publishedItems(pool, filter, null, 10);
    assert.equal(first.rows.length, 1);
    assert.notEqual(first.nextAfter, null, 'a short page is not the last one');
    const second = await publishedItems(pool, filter, first.nextAfter, 10);
    assert.deepEqual([second.rows.length, second.nextAfter], [1, null]);
  });

  it('is one question for what means the same', () => {
    const read = (query: string) => {
      const validation = validateQuery(catalog.catalogQuery, query);
      return validation.ok ? validation.value : null;
    };
    assert.deepEqual(read('q=Big+++Shoes+&limit=025'), read('limit=25&q=big%20shoes'));
    for (const bad of [
      'q=',
      'q=+a',
      'q=%00',
      `q=${'a'.repeat(101)}`,
      'country=de',
      'min=0',
      'max=1.5',
      'kind=card',
      'sort=name',
    ]) {
      assert.equal(read(bad), null, bad);
    }
  });
});
