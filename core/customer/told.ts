/** What is told of a customer: a change's event, and entries in the audit trail. Ids, statuses and versions only. */
import { type CustomerId, topics } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import { newEvent } from '../outbox/index.ts';
import type { CoreRequest } from '../platform/http/index.ts';
import type { CustomerRow } from './domain.ts';

type Asking = Pick<CoreRequest, 'context' | 'requestId' | 'traceparent'>;
type Row = Pick<CustomerRow, 'id' | 'merchant_id' | 'status' | 'version' | 'root_id'>;

/** @param row as it is from now on */
export function customerEvent(
  { requestId, traceparent }: Asking,
  verb: 'created' | 'updated' | 'merged' | 'erased',
  row: Row,
  nowMs: number,
  erasedWith: readonly CustomerId[] = [],
): string {
  const { id: customer_id, merchant_id, status, version, root_id } = row;
  const merged_into = root_id === customer_id ? null : root_id;
  const about = { topic: topics.customerUpdated, aggregateType: 'customer', aggregateId: customer_id };
  const data = { customer_id, merchant_id, status, version, merged_into, erased_with: erasedWith };
  return newEvent({ ...about, type: `customer.${verb}`, schemaVersion: 1, requestId, traceparent, data }, nowMs);
}

/** Who had all that is known of a customer, and of whom else. */
export function exportAudit(
  { context, requestId }: Asking,
  { id, merchant_id }: Pick<Row, 'id' | 'merchant_id'>,
  exportedWith: readonly CustomerId[],
  nowMs: number,
): string {
  const about = { merchantId: merchant_id, targetType: 'customer', targetId: id, action: 'customer.export' };
  return auditEntry({ ...about, context, requestId, before: null, after: { exported_with: exportedWith } }, nowMs);
}

export function customerAudit(
  { context, requestId }: Asking,
  verb: 'update' | 'merge' | 'erase',
  before: Row,
  after: Row,
  nowMs: number,
  erasedWith: readonly CustomerId[] = [],
): string {
  const shown = ({ status, version, id, root_id }: Row) => ({
    status,
    version,
    merged_into: root_id === id ? null : root_id,
  });
  const about = { merchantId: before.merchant_id, targetType: 'customer', targetId: before.id };
  const more = verb === 'erase' ? { erased_with: erasedWith } : {};
  const told = { before: shown(before), after: { ...shown(after), ...more } };
  return auditEntry({ ...about, context, requestId, action: `customer.${verb}`, ...told }, nowMs);
}
