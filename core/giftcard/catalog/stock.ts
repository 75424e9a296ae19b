/**
 * The stock of an item, as sales and rewards take from it. Owner of the table `catalog_takes`.
 *
 * - S1 once per key: a key that took has taken, however often it asks again.
 * - S2 never below zero: what is left is compared and taken by one statement, under the item's lock.
 */
import type { CatalogItemId, RequestId } from '@local-plus/contracts';
import { announce } from '../../outbox/index.ts';
import { type Database, UniqueViolation } from '../../platform/postgres/index.ts';
import { moved } from './generation-statement.ts';
import { stockEvent } from './told.ts';

/** The request that a take is for, or one of the module's own. */
export interface Cause {
  readonly requestId: RequestId;
  readonly traceparent: string | null;
}

export type Take =
  | { readonly type: 'taken'; readonly replayed: boolean }
  | { readonly type: 'refused'; readonly reason: 'not_found' | 'not_published' | 'out_of_stock' }
  /** The key took something else. */
  | { readonly type: 'key_reused' };

/** The item's stock, for other modules of core. Every call rejects with `DatabaseUnavailable`: then the same key tells later. */
export interface Stock {
  /**
   * @param count from 1 to 1,000,000,000
   * @param key the module's own, up to 255 characters, one per take; see `deskKey` of the ledger
   */
  take(itemId: CatalogItemId, count: number, key: string, cause: Cause): Promise<Take>;
}

/** The lock comes first: whether there is enough, and whether it is counted at all, is asked of the row as it is then. */
const takeStatement = `with item as (
    select id, stock as was from catalog_items where id = $2::uuid and status = 'published'
      and not exists (select from catalog_takes where key = $1)
    for no key update
  ), counted as (
    update catalog_items as i set stock = item.was - $3::bigint
    from item where i.id = item.id and item.was >= $3::bigint
    returning i.stock
  ), noted as (
    insert into catalog_takes (key, item_id, count, counted, status)
    select $1, id, $3::bigint, was is not null, 'taken' from item where was is null or was >= $3::bigint
    returning key
  ), gone as (select 1 from counted where stock = 0),
  ${moved('gone')}, ${announce(4, 'gone')}
  select key from noted`;

const keyStatement = 'select item_id, count from catalog_takes where key = $1';
const statusStatement = 'select status from catalog_items where id = $1::uuid';

export function catalogStock(database: Pick<Database, 'read' | 'write'>, nowMs: () => number): Stock {
  return {
    async take(itemId, count, key, cause) {
      const gone = stockEvent(cause, itemId, false, nowMs());
      try {
        const taken = await database.write(takeStatement, [key, itemId, String(count), gone]);
        if (taken.length > 0) return { type: 'taken', replayed: false };
      } catch (error) {
        // S1: the same key, at the same moment.
        if (!(error instanceof UniqueViolation)) throw error;
      }
      return earlier(database, itemId, count, key);
    },
  };
}

async function earlier(
  database: Pick<Database, 'read'>,
  itemId: CatalogItemId,
  count: number,
  key: string,
): Promise<Take> {
  interface KeyRow {
    readonly item_id: CatalogItemId;
    readonly count: number;
  }
  const [used] = await database.read<KeyRow>(keyStatement, [key]);
  if (used !== undefined) {
    const isSame = used.item_id === itemId && used.count === count;
    return isSame ? { type: 'taken', replayed: true } : { type: 'key_reused' };
  }
  const [item] = await database.read<{ readonly status: string }>(statusStatement, [itemId]);
  if (item === undefined) return { type: 'refused', reason: 'not_found' };
  return { type: 'refused', reason: item.status === 'published' ? 'out_of_stock' : 'not_published' };
}
