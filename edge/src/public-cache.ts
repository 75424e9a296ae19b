/**
 * Step ①h, public GETs only: answers kept in the isolate, by path and canonical query (RFC 9111, RFC 9110 §8.8.3 and
 * §13.1.2 for the validators, RFC 9211 for `Cache-Status`, RFC 5861 §4 for stale answers while the origin is away).
 *
 * C1  Nothing of the caller is in the key, the request to the origin, or the answer: what one was given, all may see.
 * C2  One fill per key at a time; whoever comes meanwhile waits for it. A fill whose request died is given up.
 * C3  Only a 200 is kept, `cacheS` seconds; while the origin is away, at most `cacheStaleMs` more.
 * C4  Bounded in entries and bytes; the least recently used leave first.
 */
import { limits, type ProblemCode, problemSchema, publicSubject, readJson } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import { withDeadline } from './deadline.ts';
import { base64Url, sha256 } from './encoding.ts';
import { type Answer, type Exchange, type Refusal, refuse } from './exchange.ts';
import { ownCall, refuseForOrigin } from './forward.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

interface Page {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly sinceMs: number;
}

/** What a fill found: plain data, because a `Response` belongs to the one request that fetched it. */
type Fill =
  | { readonly kind: 'page'; readonly page: Page; readonly isStored: boolean }
  | ({ readonly kind: 'refused'; readonly code: ProblemCode } & Pick<Refusal, 'detail' | 'errors'>)
  | { readonly kind: 'away'; readonly code: 'unavailable' | 'gateway_timeout' | 'bad_gateway' };

interface Flight {
  readonly startedAtMs: number;
  readonly fill: Promise<Fill>;
}

export class PublicCache {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #flights = new Map<string, Flight>();
  readonly #pages = new LRUCache<string, Page>({
    max: edgeLimits.cacheEntriesMax,
    maxSize: edgeLimits.cacheBytesMax,
    maxEntrySize: edgeLimits.cacheBodyBytesMax,
    sizeCalculation: (page) => page.body.length + 1,
  });

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
  }

  /** Answers `target` (path and canonical query) from the cache, or fills it. */
  async answer(exchange: Exchange, target: string, cacheS: number): Promise<Answer> {
    const kept = this.#pages.get(target);
    const nowMs = this.#ports.nowMs();
    const leftMs = kept ? kept.sinceMs + cacheS * 1_000 - nowMs : 0;
    if (kept && leftMs > 0) return pageAnswer(exchange, kept, cacheS, nowMs, `hit; ttl=${Math.ceil(leftMs / 1_000)}`);
    const joined = this.#inFlight(target, nowMs);
    const fill = await (joined ?? this.#start(exchange, target));
    const reason = `fwd=${kept ? 'stale' : 'miss'}${joined === null ? '' : '; collapsed'}`;
    switch (fill.kind) {
      case 'page':
        return pageAnswer(exchange, fill.page, cacheS, nowMs, fill.isStored ? `${reason}; stored` : reason);
      case 'refused':
        return refuse(exchange, fill.code, fill);
      case 'away':
        return kept && leftMs > -edgeLimits.cacheStaleMs
          ? pageAnswer(exchange, kept, cacheS, nowMs, `hit; ttl=${Math.floor(leftMs / 1_000)}; detail=origin-away`)
          : refuseForOrigin(exchange, fill.code);
    }
  }

  #inFlight(target: string, nowMs: number): Promise<Fill> | null {
    const flight = this.#flights.get(target);
    if (!flight) return null;
    if (nowMs - flight.startedAtMs < limits.requestBudgetMs) return landed(flight.fill);
    this.#flights.delete(target);
    return null;
  }

  #start(exchange: Exchange, target: string): Promise<Fill> {
    const startedAtMs = this.#ports.nowMs();
    const fill = this.#fill(exchange, target, startedAtMs).finally(() => {
      if (this.#flights.get(target)?.startedAtMs === startedAtMs) this.#flights.delete(target);
    });
    this.#flights.set(target, { startedAtMs, fill });
    exchange.info.waitUntil(fill);
    return fill;
  }

  async #fill(exchange: Exchange, target: string, sinceMs: number): Promise<Fill> {
    const outcome = await this.#origin.send(ownCall(exchange, target, limits.requestBudgetMs, publicSubject));
    if (!outcome.ok) return { kind: 'away', code: outcome.code };
    const body = await this.#read(outcome.response);
    if (body === null) return { kind: 'away', code: 'unavailable' };
    if (outcome.response.status !== 200) return this.#refusal(body);
    const page: Page = { body, etag: `"${base64Url(await sha256(body))}"`, sinceMs };
    this.#pages.set(target, page);
    return { kind: 'page', page, isStored: this.#pages.has(target) };
  }

  async #read(response: Response): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      this.#ports.report('origin_away', cause);
      return null;
    }
  }

  /** The origin's refusal, to be told to each caller under its own request id; trouble there counts as its absence. */
  #refusal(body: Uint8Array): Fill {
    const reading = readJson(body);
    const document = problemSchema.safeParse(reading.ok ? reading.value : null);
    if (!document.success) {
      this.#ports.report('origin_unusable', new Error('a problem document does not have its shape'));
      return { kind: 'away', code: 'bad_gateway' };
    }
    const { status, code, detail, errors } = document.data;
    const isAway = status >= 500 || status === 429;
    return isAway ? { kind: 'away', code: 'unavailable' } : { kind: 'refused', code, detail, errors };
  }
}

function pageAnswer(exchange: Exchange, page: Page, cacheS: number, nowMs: number, cacheStatus: string): Answer {
  const headers: Record<string, string> = {
    etag: page.etag,
    'cache-control': `public, max-age=${cacheS}`,
    age: String(Math.max(0, Math.floor((nowMs - page.sinceMs) / 1_000))),
    'cache-status': `local-plus-edge; ${cacheStatus}`,
  };
  if (matchesEtag(exchange.request.headers.get('if-none-match'), page.etag))
    return { status: 304, headers, body: null };
  headers['content-type'] = 'application/json';
  return { status: 200, headers, body: page.body };
}

/** Weak comparison, as If-None-Match wants it (RFC 9110 §13.1.2). */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}

function landed(fill: Promise<Fill>): Promise<Fill> {
  return withDeadline(limits.requestBudgetMs, fill, () => ({ kind: 'away', code: 'gateway_timeout' }));
}
