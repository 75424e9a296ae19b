/** Where the next page begins: a number of a version, or a place among the rules of one. */
import { limits } from '@local-plus/contracts';

const NUMBER = /^(?:0|[1-9][0-9]{0,5})$/;
const PLACE = /^([0-9a-f-]{36})_(0|[1-9][0-9]{0,5})$/;

export function versionCursor(version: number): string {
  return String(version);
}

/** null: not one of ours. */
export function versionOf(cursor: string): number | null {
  const version = NUMBER.test(cursor) ? Number(cursor) : 0;
  return version >= 1 && version <= limits.rulesVersionsMax ? version : null;
}

export function cursorOf(versionId: string, place: number): string {
  return `${versionId}_${place}`;
}

/** null: not one of ours, or of another version. */
export function placeOf(cursor: string, versionId: string): number | null {
  const [, id, place] = PLACE.exec(cursor) ?? [];
  return id === versionId && place !== undefined ? Number(place) : null;
}
