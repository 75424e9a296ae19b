/** Where a page goes on: the id, or the number, of the last row of the page before, in a form that is none of the API's. */
import { isUuid } from '@local-plus/contracts';

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly nextCursor: string | null;
}

/**
 * @param rows up to `limit + 1`: one more than shown tells that there is a next page
 * @param cursorOf of the last row that is shown
 */
export function pageOf<Row>(rows: readonly Row[], limit: number, cursorOf: (row: Row) => string): Page<Row> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

export function idCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
}

/** null: not a cursor of ours. */
export function idOf<Id extends string>(cursor: string): Id | null {
  const hex = Buffer.from(cursor, 'base64url').toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isUuid(id) && idCursor(id) === cursor ? (id as Id) : null;
}

/** @param place an integer from 1 on */
export function placeCursor(place: number): string {
  return place.toString(36);
}

/** null: not a cursor of ours. */
export function placeOf(cursor: string): number | null {
  const place = /^[1-9a-z][0-9a-z]{0,10}$/.test(cursor) ? Number.parseInt(cursor, 36) : 0;
  return Number.isSafeInteger(place) && place >= 1 && placeCursor(place) === cursor ? place : null;
}
