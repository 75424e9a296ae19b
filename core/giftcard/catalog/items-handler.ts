/**
 * Wire ↔ catalog items, as their owners manage them: draft, change, publish, withdraw, count.
 *
 * - Another tenant's item answers as what does not exist; the operator's own belong to nobody, and it sees every item.
 * - A replay answers what was answered first, whatever the item has become since.
 */
import { type CatalogItemId, limits, parseId, uuidV7 } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  isOperator,
  ProblemError,
  sees,
  settled,
} from '../../platform/http/index.ts';
import { type CreationKey, operatorId } from '../../platform/postgres/index.ts';
import { type ItemChange, isSeen, isSellable, statusAfter } from './domain.ts';
import { amountsIn, contentOf, type ItemRow, managedJson } from './rows.ts';
import type { CatalogStore, Changed, VersionChange } from './store.ts';
import { itemAudit, itemEvent, stockEvent } from './told.ts';

export interface ItemsPorts {
  readonly store: CatalogStore;
  readonly nowMs: () => number;
}

export function itemsHandlers(ports: ItemsPorts): Handlers {
  return {
    'catalog_items.create': (request) => create(ports, request),
    'catalog_items.list': (request) => list(ports, request),
    'catalog_items.read': async (request) => answer(await ownItem(ports, request)),
    'catalog_items.update': (request) => update(ports, request),
    'catalog_items.publish': (request) => changeStatus(ports, request, 'publish'),
    'catalog_items.withdraw': (request) => changeStatus(ports, request, 'withdraw'),
    'catalog_items.change_stock': (request) => changeStock(ports, request),
  };
}

type VersionRequest = CoreRequest<'catalog_items.update' | 'catalog_items.publish' | 'catalog_items.withdraw'>;

async function create(ports: ItemsPorts, request: CoreRequest<'catalog_items.create'>): Promise<CoreAnswer> {
  const merchant_id = isOperator(request.context) ? null : callingMerchant(request.context);
  const { stock, ...body } = request.body;
  const content = contentOf(body);
  const nowMs = ports.nowMs();
  const item = { id: uuidV7<CatalogItemId>(nowMs), merchant_id, stock, status: 'draft', content } as const;
  const at = new Date(nowMs);
  const row: ItemRow = { ...item, ...content, version: 1, created_at: at, updated_at: at, request_hash: '' };
  const told = { event: itemEvent(request, row, nowMs), audit: itemAudit(request, 'create', null, row, nowMs) };
  const outcome = await ports.store.create(creationKey(request, ['draft', content, stock]), item, told);
  const { row: written, replayed } = settled(outcome);
  const { id, created_at } = written;
  return createdAnswer(managedJson({ ...row, id, created_at, updated_at: created_at }), replayed);
}

async function list(ports: ItemsPorts, request: CoreRequest<'catalog_items.list'>): Promise<CoreAnswer> {
  const { limit, cursor, status = null, kind = null } = request.queryValues;
  const owner = isOperator(request.context) ? operatorId : callingMerchant(request.context);
  const after = cursorValue(cursor, idOf<CatalogItemId>);
  const found = await ports.store.owned(owner, after, { status, kind }, limit + 1);
  const { rows, nextCursor } = pageOf(found, limit, ({ id }) => idCursor(id));
  return { status: 200, body: JSON.stringify({ data: rows.map(managedJson), next_cursor: nextCursor }) };
}

async function update(ports: ItemsPorts, request: CoreRequest<'catalog_items.update'>): Promise<CoreAnswer> {
  const before = await ownItem(ports, request);
  const { expected_version, ...body } = request.body;
  const content = contentOf(body);
  const key = creationKey(request, [before.id, expected_version, content]);
  return changeVersion(ports, request, before, key, 'update', { kind: 'update', content }, { ...before, ...content });
}

async function changeStatus(
  ports: ItemsPorts,
  request: CoreRequest<'catalog_items.publish' | 'catalog_items.withdraw'>,
  kind: 'publish' | 'withdraw',
): Promise<CoreAnswer> {
  const before = await ownItem(ports, request);
  const key = creationKey(request, [before.id, request.body.expected_version]);
  const status = statusAfter(before.status, kind) ?? before.status;
  return changeVersion(ports, request, before, key, kind, { kind, status }, { ...before, status });
}

/** @param wanted the item as it is to be, its version apart */
async function changeVersion(
  ports: ItemsPorts,
  request: VersionRequest,
  before: ItemRow,
  key: CreationKey,
  kind: 'update' | 'publish' | 'withdraw',
  change: VersionChange['change'],
  wanted: ItemRow,
): Promise<CoreAnswer> {
  const { expected_version: expectedVersion } = request.body;
  const nowMs = ports.nowMs();
  const at = new Date(nowMs);
  const after = { ...wanted, version: expectedVersion + 1, updated_at: at };
  const refusal = refusalOf(before, kind, expectedVersion, after);
  if (refusal !== null) return settle(ports, key, kind, before.id, 'none', refusal);
  const told = {
    event: itemEvent(request, after, nowMs),
    audit: itemAudit(request, kind, { version: before.version, status: before.status }, after, nowMs),
  };
  const seen = isSeen(before.status, after.status);
  const wish = { id: before.id, expectedVersion, change, at, isSeen: seen };
  // What was as expected a moment ago has another version by now.
  return settle(ports, key, kind, before.id, await ports.store.change(key, wish, told), 'version_conflict');
}

type Refusal = 'version_conflict' | 'catalog_status' | 'catalog_unsellable' | 'out_of_stock';

/** What stands in the way; null: nothing. */
function refusalOf(before: ItemRow, kind: ItemChange, expectedVersion: number, after: ItemRow): Refusal | null {
  if (statusAfter(before.status, kind) === null) return 'catalog_status';
  if (before.version !== expectedVersion) return 'version_conflict';
  if (after.status === 'published' && !isSellable(amountsIn(after))) return 'catalog_unsellable';
  return null;
}

async function changeStock(ports: ItemsPorts, request: CoreRequest<'catalog_items.change_stock'>): Promise<CoreAnswer> {
  const before = await ownItem(ports, request);
  const { body } = request;
  const count = body.type === 'set' ? body.stock : body.count;
  const key = creationKey(request, [before.id, body.type, count]);
  if (statusAfter(before.status, 'stock') === null) {
    return settle(ports, key, 'stock', before.id, 'none', 'catalog_status');
  }
  const nowMs = ports.nowMs();
  const told = {
    gone: stockEvent(request, before.id, false, nowMs),
    back: stockEvent(request, before.id, true, nowMs),
    // Sales go on: what was there before, and is there after, nobody knows here.
    audit: itemAudit(request, 'stock', null, { ...before, stock: count }, nowMs),
  };
  const how = { type: body.type, count, stockMax: limits.catalogStockMax };
  return settle(
    ports,
    key,
    'stock',
    before.id,
    await ports.store.changeStock(key, before.id, how, told),
    'out_of_stock',
  );
}

/** What came of a change; of a key that was used before, what came of it then. @param refusal if it was not used */
async function settle(
  { store }: ItemsPorts,
  key: CreationKey,
  kind: ItemChange,
  id: CatalogItemId,
  changed: Changed,
  refusal: Refusal,
): Promise<CoreAnswer> {
  if (changed !== 'none') return createdAnswer(managedJson(changed), false, 200);
  const earlier = await store.earlier(key);
  if (earlier === null) throw new ProblemError(refusal);
  const isSame = earlier.kind === kind && earlier.item_id === id && earlier.request_hash === key.requestHash;
  if (!isSame) throw new ProblemError('idempotency_key_reused');
  return createdAnswer(managedJson(earlier.item), true, 200);
}

/** The item that the path names. Throws `not_found` for what is none of the caller's. */
async function ownItem(ports: ItemsPorts, request: Pick<CoreRequest, 'params' | 'context'>): Promise<ItemRow> {
  const id = parseId<CatalogItemId>(request.params[0] ?? '');
  const row = id === null ? null : await ports.store.item(id);
  if (row === null || !sees(request.context, row.merchant_id ?? operatorId)) throw new ProblemError('not_found');
  return row;
}

function answer(row: ItemRow): CoreAnswer {
  return { status: 200, body: JSON.stringify(managedJson(row)) };
}
