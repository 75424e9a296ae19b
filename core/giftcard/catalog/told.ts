/** What is told of a change of the catalog: its event, and its entry in the audit trail. */
import { type CatalogItemId, topics } from '@local-plus/contracts';
import { auditEntry } from '../../audit/index.ts';
import { newEvent } from '../../outbox/index.ts';
import type { CoreRequest } from '../../platform/http/index.ts';
import type { ItemChange } from './domain.ts';
import { type ItemRow, itemJson } from './rows.ts';

type Asking = Pick<CoreRequest, 'context' | 'requestId' | 'traceparent'>;

/** How an item is from now on, for whoever keeps a copy of the catalog. */
export function itemEvent({ requestId, traceparent }: Asking, row: ItemRow, nowMs: number): string {
  const { in_stock: _stock, denominations: _fixed, ...data } = itemJson(row);
  return catalogEvent('giftcard.catalog.updated', row.id, { requestId, traceparent }, data, nowMs);
}

export function stockEvent(
  cause: Pick<Asking, 'requestId' | 'traceparent'>,
  id: CatalogItemId,
  in_stock: boolean,
  nowMs: number,
): string {
  return catalogEvent('giftcard.catalog.stock_changed', id, cause, { id, in_stock }, nowMs);
}

function catalogEvent(
  type: 'giftcard.catalog.updated' | 'giftcard.catalog.stock_changed',
  aggregateId: CatalogItemId,
  { requestId, traceparent }: Pick<Asking, 'requestId' | 'traceparent'>,
  data: object,
  nowMs: number,
): string {
  const topic = topics.giftcardCatalogUpdated;
  const about = { topic, aggregateType: 'catalog_item', aggregateId, type, schemaVersion: 1 };
  return newEvent({ ...about, requestId, traceparent, data }, nowMs);
}

/** @param before null: it is new */
export function itemAudit(
  { context, requestId }: Asking,
  change: ItemChange | 'create',
  before: object | null,
  row: ItemRow,
  nowMs: number,
): string {
  const action = `catalog_item.${change}`;
  const about = { merchantId: row.merchant_id, targetType: 'catalog_item', targetId: row.id };
  const { status, version, stock, name, brand, currency } = row;
  const after = change === 'stock' ? { stock } : { version, status, name, brand, currency };
  return auditEntry({ ...about, context, requestId, action, before, after }, nowMs);
}
