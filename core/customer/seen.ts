/** Which customer a request is about, and whether the caller may know of it. */
import { type CustomerId, type customers, parseId } from '@local-plus/contracts';
import { type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';
import type { CustomerStore, SealedRow } from './store.ts';
import { type CustomerKey, UnknownKey, type Vault } from './vault.ts';

type Asking = Pick<CoreRequest, 'params' | 'context'>;

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

/** null: it is destroyed. Throws `unavailable` where this process does not know the key that wraps it, as others may. */
export function keyOfCustomer(vault: Vault, { id, key_id, wrapped }: SealedRow): CustomerKey | null {
  if (key_id === null || wrapped === null) return null;
  try {
    return vault.open(id, { key_id, wrapped });
  } catch (cause) {
    if (!(cause instanceof UnknownKey)) throw cause;
    throw new ProblemError('unavailable', { detail: 'The contact details cannot be read here right now.', cause });
  }
}

/** null: erased. */
export function contactOf(vault: Vault | null, row: SealedRow): customers.Contact | null {
  if (row.sealed === null) return null;
  return keyOfCustomer(configured(vault), row)?.unseal(row.sealed) ?? null;
}
