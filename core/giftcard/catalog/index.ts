/**
 * The catalog: what is sold, what is left of it, and what everybody sees. Owner of `catalog_items`, `catalog_changes`,
 * `catalog_takes` and `catalog_generation`.
 */
import { type CatalogItemId, catalog } from '@local-plus/contracts';
import type { Handlers } from '../../platform/http/index.ts';
import type { Database } from '../../platform/postgres/index.ts';
import { type RedisLink, TwoLevelCache } from '../../platform/redis/index.ts';
import type { Log, Metrics } from '../../platform/telemetry/index.ts';
import type { ItemFacts } from './domain.ts';
import { CatalogGeneration } from './generation.ts';
import { itemsHandlers } from './items-handler.ts';
import { type CatalogItems, loadCatalog, publicHandlers } from './public-handler.ts';
import { factsOf } from './rows.ts';
import { catalogStock, type Stock } from './stock.ts';
import { CatalogStore } from './store.ts';

export { type Amounts, type ItemFacts, sellsAmount } from './domain.ts';
export type { Cause, Stock, Take } from './stock.ts';

const items = catalog.catalogItem.array();

export interface CatalogOptions {
  readonly database: Database;
  readonly redis: RedisLink;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether what a merchant sells is to be seen. */
  readonly isActive: (merchantId: string) => Promise<boolean>;
  readonly limits: {
    readonly catalogPagesHeldMax: number;
    readonly cacheL1Ms: number;
    readonly cacheL1AloneMs: number;
    readonly cacheAbsentMs: number;
    readonly cacheTombstoneMs: number;
    readonly catalogL2Ms: number;
  };
}

export interface Catalog extends Stock {
  readonly handlers: Handlers;
  /** As it is now. */
  readonly generation: () => Promise<string>;
  /** To be called when a merchant becomes active, or is not any more: the edge then asks for what it shows anew. */
  readonly touch: () => Promise<void>;
  /** Of any status; null: there is no such item. */
  readonly find: (itemId: CatalogItemId) => Promise<ItemFacts | null>;
}

export function createCatalog(options: CatalogOptions): Catalog {
  const { database, redis, log, metrics, limits, isActive } = options;
  const store = new CatalogStore(database);
  const generation = new CatalogGeneration(() => store.generation());
  const cache = new TwoLevelCache<CatalogItems>(
    {
      name: 'giftcard:catalog',
      version: 'v2',
      heldMax: limits.catalogPagesHeldMax,
      l1Ms: limits.cacheL1Ms,
      aloneMs: limits.cacheL1AloneMs,
      absentMs: limits.cacheAbsentMs,
      l2Ms: limits.catalogL2Ms,
      tombstoneMs: limits.cacheTombstoneMs,
      load: (key) => loadCatalog({ database, store }, key),
      parse: checkedItems,
    },
    redis,
    log,
    metrics,
  );
  const nowMs = Date.now;
  return {
    handlers: {
      ...publicHandlers({ database, store, generation, cache, isActive, nowMs }),
      ...itemsHandlers({ store, nowMs }),
    },
    generation: () => generation.now(),
    touch: () => store.touch(),
    find: async (itemId) => {
      const row = await store.item(itemId);
      return row === null ? null : factsOf(row);
    },
    ...catalogStock(database, nowMs),
  };
}

/** As they were written, member by member, so that an answer is the same text from every level. */
function checkedItems(json: unknown): CatalogItems {
  items.parse(json);
  return json as CatalogItems;
}
