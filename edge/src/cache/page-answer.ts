/**
 * A page as an answer: 200, or 304 where the caller has it (RFC 9110 §13.1.2, §15.4.5), with `Age` (RFC 9111 §5.1) and
 * `Cache-Status` (RFC 9211).
 *
 * Others may keep it for `cacheClientS` only, however long the edge does: what changes at core purges here, not there.
 */
import type { Answer, Exchange } from '../exchange.ts';
import { edgeLimits } from '../limits.ts';
import type { Judgement, Page, PageBounds } from './page.ts';
import { matchesEtag } from './validators.ts';

/** @param how the parameters of `Cache-Status`, in the order of the RFC */
export function pageAnswer(
  exchange: Exchange,
  page: Page,
  bounds: PageBounds,
  { ageMs }: Judgement,
  how: string,
): Answer {
  const clientS = Math.min(edgeLimits.cacheClientS, bounds.freshMs / 1_000);
  const headers: Record<string, string> = {
    etag: page.etag,
    'cache-control': `public, max-age=${clientS}`,
    age: String(Math.floor(ageMs / 1_000)),
    'cache-status': `local-plus-edge; ${how}`,
  };
  if (matchesEtag(exchange.headers.get('if-none-match'), page.etag)) {
    return { status: 304, headers, body: null };
  }
  headers['content-type'] = 'application/json';
  return { status: 200, headers, body: page.body };
}
