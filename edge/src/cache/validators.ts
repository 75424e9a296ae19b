/**
 * Entity tags and `If-None-Match` (RFC 9110 §8.8.3, §13.1.2). A tag may hold commas, and is compared weakly.
 */
import { base64Url, sha256 } from '../encoding.ts';

const ENTITY_TAG = /[ \t]*(?:(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(,|$)/y;

/** Strong: equal tags, equal bytes. */
export async function strongEtag(body: Uint8Array<ArrayBuffer>): Promise<string> {
  return `"${base64Url(await sha256(body))}"`;
}

/** Whether the caller has this already. A field that is no list of tags matches nothing. */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === '*') return true;
  let matches = false;
  ENTITY_TAG.lastIndex = 0;
  while (ENTITY_TAG.lastIndex < ifNoneMatch.length) {
    const element = ENTITY_TAG.exec(ifNoneMatch);
    if (element === null) return false;
    if (element[1] === etag) matches = true;
  }
  return matches;
}
