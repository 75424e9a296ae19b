/**
 * Customers: who may become what. Pure.
 */
import type { CustomerId, customers, MerchantId, ProblemCode } from '@local-plus/contracts';

type Status = customers.CustomerStatus;

/** `absorb`: another one is merged into it; `merge`: it is merged into another one. */
export type CustomerChange = 'update' | 'absorb' | 'merge' | 'erase';

type Refusal = Extract<ProblemCode, 'customer_merged' | 'customer_erased'>;

/** Which status a change leads to, or why it is refused. Nobody comes back from `merged` or `erased`. */
const transitions: Readonly<Record<Status, Readonly<Record<CustomerChange, Status | Refusal>>>> = {
  active: { update: 'active', absorb: 'active', merge: 'merged', erase: 'erased' },
  // Whoever it is now is erased, and it with that one.
  merged: { update: 'customer_merged', absorb: 'customer_merged', merge: 'customer_merged', erase: 'erased' },
  // Erased is erased: asking again changes nothing.
  erased: { update: 'customer_erased', absorb: 'customer_erased', merge: 'customer_erased', erase: 'erased' },
};

/** null: the change is allowed. */
export function refusalOf(status: Status, change: CustomerChange): Refusal | null {
  const next = transitions[status][change];
  return next === 'customer_merged' || next === 'customer_erased' ? next : null;
}

export interface CustomerRow {
  readonly id: CustomerId;
  readonly merchant_id: MerchantId;
  readonly external_id: string | null;
  readonly status: Status;
  /** Who it is now. */
  readonly root_id: CustomerId;
  readonly version: number;
  readonly merges: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export function summaryJson(row: CustomerRow): customers.CustomerSummary {
  const { id, external_id, status, root_id, version } = row;
  return {
    id,
    external_id,
    status,
    merged_into: root_id === id ? null : root_id,
    version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function customerJson(row: CustomerRow, contact: customers.Contact | null): customers.Customer {
  return { ...summaryJson(row), contact };
}
