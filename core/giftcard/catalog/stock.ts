/**
 * The stock of an item, as sales and rewards take from it. Owner of the table `catalog_takes`.
 *
 * - S1 once per key: a key that took has taken, however often it asks again; given back, it cannot take any more, not even by
 *   a statement that was under way when it was given back.
 * - S2 never below zero: what is left is compared and taken by one statement, under the item's lock.
 * - S3 what is given back is there again for others, where it was counted when it was taken.
 */
import { type CatalogItemId, limits, type RequestId } from '@local-plus/contracts';
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
  | { readonly type: 'refused'; readonly reason: 'not_found' | 'not_published' | 'out_of_stock' | 'given_back' }
  /** The key took something else. */
  | { readonly type: 'key_reused' };

/** The item's stock, for other modules of core. Every call rejects with `DatabaseUnavailable`: then the same key tells later. */
export interface Stock {
  /**
   * @param count from 1 to 1,000,000,000
   * @param key the module's own, up to 255 characters, one per take; see `deskKey` of the ledger
   */
  take(itemId: CatalogItemId, count: number, key: string, cause: Cause): Promise<Take>;
  /** Ends what the key took; before it took anything, it never will. */
  giveBack(itemId: CatalogItemId, key: string, cause: Cause): Promise<void>;
}

const takeStatement = `with taken as (
    update catalog_items set stock = stock - $3::bigint
    where id = $2::uuid and status = 'published' and stock >= $3::bigint
      and not exists (select from catalog_takes where key = $1)
    returning id, stock
  ), uncounted as (
    select id from catalog_items where id = $2::uuid and status = 'published' and stock is null
      and not exists (select from catalog_takes where key = $1)
  ), noted as (
    insert into catalog_takes (key, item_id, count, counted, status)
    select $1, id, $3::bigint, true, 'taken' from taken
    union all select $1, id, $3::bigint, false, 'taken' from uncounted
    returning key
  ), gone as (select 1 from taken where stock = 0),
  ${moved('gone')}, ${announce(4, 'gone')}
  select key from noted`;

/** The key's row first: a take under way with this key waits for it, and fails. */
const giveBackStatement = `with given as (
    insert into catalog_takes as t (key, item_id, count, counted, status)
    values ($1, $2::uuid, 0, false, 'given_back')
    on conflict (key) do update set status = 'given_back' where t.status = 'taken' and t.item_id = excluded.item_id
    returning item_id, count, counted
  ), restored as (
    update catalog_items set stock = least(stock + given.count, ${limits.catalogStockMax})
    from given where id = given.item_id and given.counted and stock is not null
    returning status, stock, given.count
  ), back as (select 1 from restored where status = 'published' and stock = count and count > 0),
  ${moved('back')}, ${announce(3, 'back')}
  select 1 from given`;

const keyStatement = 'select item_id, count, status from catalog_takes where key = $1';
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
    async giveBack(itemId, key, cause) {
      await database.write(giveBackStatement, [key, itemId, stockEvent(cause, itemId, true, nowMs())]);
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
    readonly status: 'taken' | 'given_back';
  }
  const [used] = await database.read<KeyRow>(keyStatement, [key]);
  if (used?.status === 'given_back' && used.item_id === itemId) return { type: 'refused', reason: 'given_back' };
  if (used !== undefined) {
    const isSame = used.item_id === itemId && used.count === count;
    return isSame ? { type: 'taken', replayed: true } : { type: 'key_reused' };
  }
  const [item] = await database.read<{ readonly status: string }>(statusStatement, [itemId]);
  if (item === undefined) return { type: 'refused', reason: 'not_found' };
  return { type: 'refused', reason: item.status === 'published' ? 'out_of_stock' : 'not_published' };
}
