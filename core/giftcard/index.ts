/**
 * The gift-card module; for now its public catalog. Owner of `catalog_items` and `catalog_generation`.
 */
import { catalog } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { type RedisLink, TwoLevelCache } from '../platform/redis/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { CatalogGeneration } from './generation.ts';
import { type CatalogItems, catalogHandlers, loadCatalog } from './handler.ts';
import { CatalogStore } from './store.ts';

const items = catalog.catalogItem.array();

export interface GiftcardOptions {
  readonly database: Database;
  readonly redis: RedisLink;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: {
    readonly catalogPagesHeldMax: number;
    readonly cacheL1Ms: number;
    readonly cacheL1AloneMs: number;
    readonly cacheAbsentMs: number;
    readonly cacheTombstoneMs: number;
    readonly catalogL2Ms: number;
  };
}

export interface GiftcardModule {
  readonly handlers: Handlers;
  /** Of the catalog, as it is now. */
  readonly catalogGeneration: () => Promise<string>;
}

export function createGiftcardModule(options: GiftcardOptions): GiftcardModule {
  const { database, redis, log, metrics, limits } = options;
  const store = new CatalogStore(database);
  const generation = new CatalogGeneration(() => store.generation());
  const cache = new TwoLevelCache<CatalogItems>(
    {
      name: 'giftcard:catalog',
      version: 'v1',
      heldMax: limits.catalogPagesHeldMax,
      l1Ms: limits.cacheL1Ms,
      aloneMs: limits.cacheL1AloneMs,
      absentMs: limits.cacheAbsentMs,
      l2Ms: limits.catalogL2Ms,
      tombstoneMs: limits.cacheTombstoneMs,
      load: (key) => loadCatalog(store, key),
      parse: checkedItems,
    },
    redis,
    log,
    metrics,
  );
  return {
    handlers: catalogHandlers({ store, generation, cache, nowMs: Date.now }),
    catalogGeneration: () => generation.now(),
  };
}

/** As they were written, member by member, so that an answer is the same text from every level. */
function checkedItems(json: unknown): CatalogItems {
  items.parse(json);
  return json as CatalogItems;
}
