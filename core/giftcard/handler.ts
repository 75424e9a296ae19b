/**
 * Wire ↔ catalog: publish, list, read.
 */
import { type CatalogItemId, type catalog, parseId, uuidV7 } from '@local-plus/contracts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  type Handlers,
  keyOf,
  ProblemError,
} from '../platform/http/index.ts';
import { operatorId, requestHash } from '../platform/postgres/index.ts';
import type { TwoLevelCache } from '../platform/redis/index.ts';
import { decodeCursor, newestRows, pageOf } from './domain.ts';
import type { CatalogRow, CatalogStore } from './store.ts';

export type CatalogItems = readonly catalog.CatalogItem[];

/** What the cache knows: the newest items under this name, and single items under their ids. */
export const newestKey = 'newest';

export interface HandlerPorts {
  readonly store: CatalogStore;
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

/** The cache's loader. */
export async function loadCatalog(store: CatalogStore, key: string): Promise<CatalogItems | null> {
  if (key === newestKey) return (await store.newest(newestRows)).map(itemJson);
  const row = await store.item(key as CatalogItemId);
  return row === null ? null : [itemJson(row)];
}

async function create(ports: HandlerPorts, request: CoreRequest<'catalog.create'>): Promise<CoreAnswer> {
  const { name, brand, currency, denominations } = request.body;
  const outcome = await ports.store.create(
    {
      creator: request.context.merchantId ?? operatorId,
      idempotencyKey: keyOf(request),
      requestHash: requestHash([name, brand, currency, denominations]),
    },
    { id: uuidV7<CatalogItemId>(ports.nowMs()), name, brand, currency, denominations },
  );
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw new Error('a new id was taken already');
  // Again on a replay: the process that published it may have died before it told the others.
  await ports.cache.evict(newestKey);
  return createdAnswer(itemJson({ ...outcome.row, status: 'published' }), outcome.type === 'replayed');
}

async function list(ports: HandlerPorts, request: CoreRequest<'catalog.list'>): Promise<CoreAnswer> {
  const { limit, cursor } = request.queryValues;
  if (cursor === undefined) {
    const items = (await ports.cache.get(newestKey)) ?? [];
    return { status: 200, body: JSON.stringify(pageOf(items, limit)) };
  }
  const after = decodeCursor(cursor);
  if (after === null) throw new ProblemError('invalid_cursor');
  const rows = await ports.store.before(after, limit + 1);
  return { status: 200, body: JSON.stringify(pageOf(rows.map(itemJson), limit)) };
}

async function read(ports: HandlerPorts, request: CoreRequest<'catalog.read'>): Promise<CoreAnswer> {
  const id = parseId<CatalogItemId>(request.params[0] ?? '');
  const [item] = (id === null ? null : await ports.cache.get(id)) ?? [];
  if (item === undefined) throw new ProblemError('not_found');
  return { status: 200, body: JSON.stringify(item) };
}

function itemJson(row: CatalogRow): catalog.CatalogItem {
  const { id, name, brand, currency, denominations, status } = row;
  return { id, name, brand, currency, denominations, status, created_at: row.created_at.toISOString() };
}
