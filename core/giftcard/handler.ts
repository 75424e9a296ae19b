/**
 * Wire ↔ catalog: publish, list, read.
 *
 * What is read is kept under the generation that was read before it, and says which: so no answer, of whichever process,
 * is older than its generation, and a change needs no eviction.
 */
import { type CatalogItemId, type catalog, generationHeader, parseId, uuidV7 } from '@local-plus/contracts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
} from '../platform/http/index.ts';
import type { TwoLevelCache } from '../platform/redis/index.ts';
import { decodeCursor, newestRows, pageOf } from './domain.ts';
import type { CatalogGeneration } from './generation.ts';
import type { CatalogRow, CatalogStore } from './store.ts';

export type CatalogItems = readonly catalog.CatalogItem[];

/** What the cache knows, per generation: the newest items under this name, and single items under their ids. */
const newestKey = 'newest';

export interface HandlerPorts {
  readonly store: CatalogStore;
  readonly generation: CatalogGeneration;
  /** By `keyUnder`. */
  readonly cache: TwoLevelCache<CatalogItems>;
  readonly nowMs: () => number;
}

export function catalogHandlers(ports: HandlerPorts): Handlers {
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
export async function loadCatalog(store: CatalogStore, cacheKey: string): Promise<CatalogItems | null> {
  const key = cacheKey.slice(cacheKey.indexOf(':') + 1);
  if (key === newestKey) return (await store.newest(newestRows)).map(itemJson);
  const row = await store.item(key as CatalogItemId);
  return row === null ? null : [itemJson(row)];
}

async function create(ports: HandlerPorts, request: CoreRequest<'catalog.create'>): Promise<CoreAnswer> {
  const { name, brand, currency, denominations } = request.body;
  const outcome = await ports.store.create(creationKey(request, [name, brand, currency, denominations]), {
    id: uuidV7<CatalogItemId>(ports.nowMs()),
    name,
    brand,
    currency,
    denominations,
  });
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw new Error('a new id was taken already');
  return createdAnswer(itemJson({ ...outcome.row, status: 'published' }), outcome.type === 'replayed');
}

async function list(ports: HandlerPorts, request: CoreRequest<'catalog.list'>): Promise<CoreAnswer> {
  const { limit, cursor } = request.queryValues;
  const after = cursor === undefined ? null : decodeCursor(cursor);
  if (cursor !== undefined && after === null) throw new ProblemError('invalid_cursor');
  const generation = await ports.generation.last();
  const items =
    after === null
      ? ((await ports.cache.get(keyUnder(generation, newestKey))) ?? [])
      : (await ports.store.before(after, limit + 1)).map(itemJson);
  return readAnswer(pageOf(items, limit), generation);
}

async function read(ports: HandlerPorts, request: CoreRequest<'catalog.read'>): Promise<CoreAnswer> {
  const id = parseId<CatalogItemId>(request.params[0] ?? '');
  if (id === null) throw new ProblemError('not_found');
  const generation = await ports.generation.last();
  const [item] = (await ports.cache.get(keyUnder(generation, id))) ?? [];
  if (item === undefined) throw new ProblemError('not_found');
  return readAnswer(item, generation);
}

function readAnswer(body: unknown, generation: string): CoreAnswer {
  return { status: 200, body: JSON.stringify(body), headers: { [generationHeader]: generation } };
}

function itemJson(row: CatalogRow): catalog.CatalogItem {
  const { id, name, brand, currency, denominations, status } = row;
  return { id, name, brand, currency, denominations, status, created_at: row.created_at.toISOString() };
}
