/**
 * The catalog: pages and their cursors. Pure.
 */
import { type CatalogItemId, type catalog, isUuid, limits } from '@local-plus/contracts';

/** The page that everybody asks for is kept whole, with one item more to tell whether there is a next page. */
export const newestRows = limits.pageRowsMax + 1;

export interface CatalogPage {
  readonly data: readonly catalog.CatalogItem[];
  readonly next_cursor: string | null;
}

/** The first `limit` of `items`, of which there is at least one more when there are more at all. */
export function pageOf(items: readonly catalog.CatalogItem[], limit: number): CatalogPage {
  const data = items.slice(0, limit);
  const last = data.at(-1);
  return { data, next_cursor: items.length > limit && last !== undefined ? encodeCursor(last.id) : null };
}

/** A cursor names the last item of the page before. */
export function encodeCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
}

/** null: not a cursor of ours. */
export function decodeCursor(cursor: string): CatalogItemId | null {
  const hex = Buffer.from(cursor, 'base64url').toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isUuid(id) && encodeCursor(id) === cursor ? (id as CatalogItemId) : null;
}
