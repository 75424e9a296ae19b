/**
 * The gift-card module: its catalog. Cards, their codes and bulk issue are modules of their own below this door.
 */
import type { Handlers } from '../platform/http/index.ts';
import { type Catalog, type CatalogOptions, createCatalog } from './catalog/index.ts';

export type { Cause, ItemFacts, Stock, Take } from './catalog/index.ts';

export type GiftcardOptions = CatalogOptions;

export interface GiftcardModule {
  readonly handlers: Handlers;
  /** Of the catalog, as it is now. */
  readonly catalogGeneration: () => Promise<string>;
  /** For what sells, or gives away, items of the catalog. */
  readonly catalog: Pick<Catalog, 'find' | 'take' | 'touch'>;
}

export function createGiftcardModule(options: GiftcardOptions): GiftcardModule {
  const catalog = createCatalog(options);
  return { handlers: catalog.handlers, catalogGeneration: catalog.generation, catalog };
}
