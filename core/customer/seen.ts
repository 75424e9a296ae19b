/** Which customer a request is about, and whether the caller may know of it. */
import { type CustomerId, type customers, parseId } from '@local-plus/contracts';
import { type CoreRequest, keyOf, ProblemError, sees } from '../platform/http/index.ts';
import { operatorId } from '../platform/postgres/index.ts';
import type { CustomerStore, RequestName, SealedRow } from './store.ts';
import type { CustomerKey, Vault } from './vault.ts';

type Asking = Pick<CoreRequest, 'params' | 'context'>;

export function requestName(request: Pick<CoreRequest, 'context' | 'idempotencyKey'>): RequestName {
  return { creator: request.context.merchantId ?? operatorId, idempotencyKey: keyOf(request) };
}

/** The customer of an id, by default the path's. Throws `not_found` for what is none of the caller's. */
export async function seenCustomer(
  store: CustomerStore,
  request: Asking,
  id: string | undefined = request.params[0],
): Promise<SealedRow> {
  const customerId = parseId<CustomerId>(id ?? '');
  const row = customerId === null ? null : await store.customer(customerId);
  if (row === null || !sees(request.context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

/** Throws `customers_not_configured`. */
export function configured(vault: Vault | null): Vault {
  if (vault === null) throw new ProblemError('customers_not_configured');
  return vault;
}

/** null: it is destroyed. */
export function keyOfCustomer(vault: Vault, { id, key_id, wrapped }: SealedRow): CustomerKey | null {
  return key_id === null || wrapped === null ? null : vault.open(id, { key_id, wrapped });
}

/** null: erased. */
export function contactOf(vault: Vault | null, row: SealedRow): customers.Contact | null {
  if (row.sealed === null) return null;
  return keyOfCustomer(configured(vault), row)?.unseal(row.sealed) ?? null;
}
