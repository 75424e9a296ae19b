/**
 * Wire ↔ what everybody sees of the catalog: list, search, read; and the operator's publication in one step.
 *
 * - What is read is kept under the generation that was read before it, and says which: so no answer, of whichever process,
 *   is older than its generation, and a change needs no eviction.
 * - Items of a merchant that is not active are left out when it is answered: that is not the catalog's to write down.
 */
import { type CatalogItemId, type catalog, generationHeader, parseId, uuidV7 } from '@local-plus/contracts';
import { idCursor, idOf, type Page, pageOf } from '../../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  ProblemError,
  settled,
} from '../../platform/http/index.ts';
import type { Database } from '../../platform/postgres/index.ts';
import type { TwoLevelCache } from '../../platform/redis/index.ts';
import { newestRows } from './domain.ts';
import type { CatalogGeneration } from './generation.ts';
import { contentOf, itemJson } from './rows.ts';
import { type Filter, publishedItems } from './search.ts';
import type { CatalogStore } from './store.ts';
import { itemAudit, itemEvent } from './told.ts';

export type CatalogItems = readonly catalog.CatalogItem[];

/** What the cache knows, per generation: the newest items under this name, and single items under their ids. */
const newestKey = 'newest';

export interface PublicPorts {
  readonly database: Pick<Database, 'read'>;
  readonly store: CatalogStore;
  readonly generation: CatalogGeneration;
  /** By `keyUnder`. */
  readonly cache: TwoLevelCache<CatalogItems>;
  readonly isActive: (merchantId: string) => Promise<boolean>;
  readonly nowMs: () => number;
}

export function publicHandlers(ports: PublicPorts): Handlers {
  return {
    'catalog.create': (request) => create(ports, request),
    'catalog.list': (request) => list(ports, request),
    'catalog.read': (request) => read(ports, request),
  };
}

function keyUnder(generation: string, name: string): string {
  return `${generation}:${name}`;
}

/** The cache's loader. */
export async function loadCatalog(
  { database, store }: Pick<PublicPorts, 'database' | 'store'>,
  cacheKey: string,
): Promise<CatalogItems | null> {
  const key = cacheKey.slice(cacheKey.indexOf(':') + 1);
  if (key === newestKey) return (await publishedItems(database, {}, null, newestRows)).rows.map(itemJson);
  const row = await store.item(key as CatalogItemId);
  return row?.status === 'published' ? [itemJson(row)] : null;
}

async function create(ports: PublicPorts, request: CoreRequest<'catalog.create'>): Promise<CoreAnswer> {
  const { name, brand, currency, denominations } = request.body;
  const nowMs = ports.nowMs();
  const content = {
    ...contentOf({
      ...{ kind: 'gift_card', name, brand, currency, amounts: { type: 'fixed', denominations } },
      ...{ validity_months: null, countries: [], categories: [], images: [], description: null },
    }),
    // As they were given: this is how they were always answered.
    denominations,
  };
  const item = {
    id: uuidV7<CatalogItemId>(nowMs),
    merchant_id: null,
    stock: null,
    status: 'published',
    content,
  } as const;
  const at = new Date(nowMs);
  const row = { ...item, ...content, version: 1, created_at: at, updated_at: at, request_hash: '' };
  const told = { event: itemEvent(request, row, nowMs), audit: itemAudit(request, 'publish', null, row, nowMs) };
  const key = creationKey(request, [name, brand, currency, denominations]);
  const outcome = await ports.store.create(key, item, told);
  const { row: written, replayed } = settled(outcome);
  const { id, created_at } = written;
  // As it was created, the first time and every time.
  const created = { ...row, id, created_at, updated_at: created_at };
  return createdAnswer(itemJson(created), replayed);
}

async function list(ports: PublicPorts, request: CoreRequest<'catalog.list'>): Promise<CoreAnswer> {
  const { limit, cursor, ...filter } = request.queryValues;
  const after = cursorValue(cursor, idOf<CatalogItemId>);
  const generation = await ports.generation.last();
  const isNewest = after === null && Object.values(filter).every((value) => value === undefined);
  const page = isNewest
    ? pageOf((await ports.cache.get(keyUnder(generation, newestKey))) ?? [], limit, ({ id }) => idCursor(id))
    : await searched(ports, filter, after, limit);
  return readAnswer({ data: await seen(ports, page.rows), next_cursor: page.nextCursor }, generation);
}

async function searched(
  { database }: PublicPorts,
  filter: Filter,
  after: CatalogItemId | null,
  limit: number,
): Promise<Page<catalog.CatalogItem>> {
  const { rows, nextAfter } = await publishedItems(database, filter, after, limit);
  return { rows: rows.map(itemJson), nextCursor: nextAfter === null ? null : idCursor(nextAfter) };
}

async function read(ports: PublicPorts, request: CoreRequest<'catalog.read'>): Promise<CoreAnswer> {
  const id = parseId<CatalogItemId>(request.params[0] ?? '');
  if (id === null) throw new ProblemError('not_found');
  const generation = await ports.generation.last();
  const [item] = await seen(ports, (await ports.cache.get(keyUnder(generation, id))) ?? []);
  if (item === undefined) throw new ProblemError('not_found');
  return readAnswer(item, generation);
}

/** Without those of merchants that are not active. */
async function seen({ isActive }: PublicPorts, items: CatalogItems): Promise<CatalogItems> {
  const merchants = [...new Set(items.flatMap(({ merchant_id }) => merchant_id ?? []))];
  const active = await Promise.all(merchants.map(async (id) => ((await isActive(id)) ? id : null)));
  const shown = new Set<string | null>([null, ...active]);
  return items.filter(({ merchant_id }) => shown.has(merchant_id));
}

function readAnswer(body: unknown, generation: string): CoreAnswer {
  return { status: 200, body: JSON.stringify(body), headers: { [generationHeader]: generation } };
}
