/**
 * Catalog items: what may be done with one, and what can be bought of it. Pure.
 */
import { type CatalogItemId, type catalog, limits, type MerchantId } from '@local-plus/contracts';

type Status = catalog.ItemStatus;
export type ItemChange = 'update' | 'publish' | 'withdraw' | 'stock';

/** Which status a change leads to; null: it is not allowed. What is withdrawn stays so: a new item takes its place. */
const transitions: Readonly<Record<Status, Readonly<Record<ItemChange, Status | null>>>> = {
  draft: { update: 'draft', publish: 'published', withdraw: 'withdrawn', stock: 'draft' },
  published: { update: 'published', publish: null, withdraw: 'withdrawn', stock: 'published' },
  withdrawn: { update: null, publish: null, withdraw: null, stock: null },
};

export function statusAfter(status: Status, change: ItemChange): Status | null {
  return transitions[status][change];
}

/** Whether everybody sees the change: the item before it, or after it. */
export function isSeen(before: Status, after: Status): boolean {
  return before === 'published' || after === 'published';
}

/** The page that everybody asks for is kept whole, with one item more to tell whether there is a next page. */
export const newestRows = limits.pageRowsMax + 1;

/** What can be bought, in the smallest unit of the item's currency. */
export interface Amounts {
  readonly denominations: readonly number[];
  readonly range: { readonly min: number; readonly max: number; readonly step: number } | null;
}

/** What other modules of core have to know of an item that they sell. */
export interface ItemFacts extends Amounts {
  readonly itemId: CatalogItemId;
  /** null: the platform's. */
  readonly merchantId: MerchantId | null;
  readonly kind: catalog.ItemKind;
  readonly status: Status;
  readonly currency: string;
  readonly validityMonths: number | null;
}

/** Whether there is anything to buy. */
export function isSellable({ denominations, range }: Amounts): boolean {
  return denominations.length > 0 || (range !== null && range.min <= range.max);
}

/** Whether exactly this amount can be bought. */
export function sellsAmount({ denominations, range }: Amounts, amount: number): boolean {
  if (range === null) return denominations.includes(amount);
  return amount >= range.min && amount <= range.max && (amount - range.min) % range.step === 0;
}

/** As they are written: each amount once, the smallest first. */
export function amountsOf(amounts: catalog.ItemAmounts): Amounts {
  if (amounts.type === 'range') {
    const { min, max, step } = amounts;
    return { denominations: [], range: { min, max, step } };
  }
  return { denominations: inOrder(amounts.denominations, (left, right) => left - right), range: null };
}

/** Each once, in order. */
export function inOrder<Value>(values: readonly Value[], compare?: (left: Value, right: Value) => number): Value[] {
  return [...new Set(values)].sort(compare);
}
