/**
 * Step ①h, public GETs only: answers kept in the isolate (RFC 9111), by path and canonical query. HEAD is answered from
 * GET's entry.
 *
 * C1  Nothing of the caller is in the key, the request to the origin, or the answer: what one was given, all may see.
 *     So answers vary on nothing; one that says `Vary` is passed on, and not kept.
 * C2  One fetch per key at a time; values cross between requests, promises do not (cache/flights.ts).
 * C3  Only a 200 is kept; a refusal ends the entry. How long an entry is good, and for what, is cache/page.ts: past its
 *     time it is served while one request fetches behind (RFC 5861 §3), and in place of an error (§4).
 * C4  A change at core purges within about two seconds of traffic: entries say their generation (cache/generations.ts).
 * C5  Bounded in entries and bytes, keys counted; the least recently used leave first.
 * C6  What a caller asks of caches (`Cache-Control: no-cache`) is not heeded: it would be a way past them to the origin.
 */
import {
  type GenerationKind,
  generationHeader,
  limits,
  type ProblemCode,
  parseGeneration,
  problemSchema,
  publicSubject,
  readJson,
} from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import { Flights } from './cache/flights.ts';
import { GenerationWatch } from './cache/generations.ts';
import { type Judgement, judge, type Page, type PageBounds, type Said } from './cache/page.ts';
import { pageAnswer } from './cache/page-answer.ts';
import { strongEtag } from './cache/validators.ts';
import { type Answer, type Exchange, type Refusal, refuse } from './exchange.ts';
import { ownCall, refuseForOrigin } from './forward.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

/** What a fetch found: plain data, because a `Response` belongs to the one request that fetched it. */
type Fill =
  | { readonly kind: 'page'; readonly page: Page; readonly isStored: boolean }
  | ({ readonly kind: 'refused'; readonly code: ProblemCode } & Pick<Refusal, 'detail' | 'errors'>)
  | { readonly kind: 'away'; readonly code: ProblemCode; readonly retryAfterS?: number | undefined };

interface Found {
  readonly fill: Fill;
  readonly isCollapsed: boolean;
}

/** Of a route: how long, and by which generation. */
export interface CacheRules {
  readonly cacheS: number;
  readonly generation: GenerationKind | undefined;
}

export class PublicCache {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #generations: GenerationWatch;
  readonly #flights = new Flights<Fill>({
    flightMs: limits.requestBudgetMs,
    flightsMax: edgeLimits.cacheFlightsMax,
    followersMax: edgeLimits.cacheFollowersMax,
  });
  readonly #pages = new LRUCache<string, Page>({
    max: edgeLimits.cacheEntriesMax,
    maxSize: edgeLimits.cacheBytesMax,
    maxEntrySize: edgeLimits.cacheBodyBytesMax,
    sizeCalculation: (page, target) => page.body.length + target.length + 1,
  });

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
    this.#generations = new GenerationWatch(ports, origin);
  }

  /** Answers `target` (path and canonical query) from the cache, or fetches it. */
  async answer(exchange: Exchange, target: string, rules: CacheRules): Promise<Answer> {
    const bounds = boundsOf(rules);
    const kept = this.#pages.get(target);
    if (kept === undefined) return this.#answerFetched(exchange, target, bounds);
    const judgement = await this.#judge(exchange, kept, rules, bounds);
    switch (judgement.use) {
      case 'fresh':
        return pageAnswer(exchange, kept, bounds, judgement, `hit; ${ttl(judgement)}`);
      case 'unconfirmed':
      case 'stale':
        this.#refresh(exchange, target);
        return pageAnswer(exchange, kept, bounds, judgement, `hit; ${ttl(judgement)}; detail=revalidating`);
      case 'old':
      case 'moved':
      case 'spent':
        return this.#answerFetched(exchange, target, bounds, { page: kept, judgement });
    }
  }

  async #judge(exchange: Exchange, page: Page, { generation }: CacheRules, bounds: PageBounds): Promise<Judgement> {
    const said = (): Said | null => (generation === undefined ? null : this.#generations.said(generation));
    const judgement = judge(page, said(), bounds, this.#ports.steadyMs());
    if (generation === undefined || page.generation === null) return judgement;
    if (judgement.use !== 'unconfirmed') {
      this.#generations.watch(exchange);
      return judgement;
    }
    await this.#generations.confirm(exchange);
    return judge(page, said(), bounds, this.#ports.steadyMs());
  }

  async #answerFetched(
    exchange: Exchange,
    target: string,
    bounds: PageBounds,
    kept: { page: Page; judgement: Judgement } | null = null,
  ): Promise<Answer> {
    const { fill, isCollapsed } = await this.#fetch(exchange, target);
    switch (fill.kind) {
      case 'page': {
        const { page, isStored } = fill;
        const judgement = judge(page, null, bounds, this.#ports.steadyMs());
        const how = isCollapsed ? '; collapsed' : isStored ? '; stored' : '';
        return pageAnswer(exchange, page, bounds, judgement, `fwd=${kept === null ? 'miss' : 'stale'}${how}`);
      }
      case 'refused':
        return refuse(exchange, fill.code, fill);
      case 'away':
        return kept !== null && kept.judgement.use !== 'spent'
          ? pageAnswer(exchange, kept.page, bounds, kept.judgement, `hit; ${ttl(kept.judgement)}; detail=origin-away`)
          : refuseForOrigin(exchange, fill.code, fill.retryAfterS);
    }
  }

  /** Fetches it, or waits for the one who does. */
  async #fetch(exchange: Exchange, target: string): Promise<Found> {
    const startedAtMs = this.#ports.steadyMs();
    const boarding = this.#flights.board(target, startedAtMs);
    const budgetMs = limits.requestBudgetMs - (startedAtMs - exchange.startedAtMs);
    const isLate = budgetMs < edgeLimits.forwardBudgetMsMin;
    if (isLate || boarding.role === 'turned away') {
      if (boarding.role === 'leader') boarding.land(null);
      return { fill: { kind: 'away', code: isLate ? 'deadline_exceeded' : 'overloaded' }, isCollapsed: false };
    }
    if (boarding.role === 'follower') {
      const fill = await boarding.wait(budgetMs);
      return { fill: fill ?? { kind: 'away', code: 'gateway_timeout' }, isCollapsed: true };
    }
    const filling = this.#fill(exchange, target, startedAtMs, budgetMs, boarding.land);
    exchange.info.waitUntil(filling);
    const fill = await filling;
    exchange.originMs += this.#ports.steadyMs() - startedAtMs;
    return { fill, isCollapsed: false };
  }

  /** Fetches it behind the answer, unless somebody does. */
  #refresh(exchange: Exchange, target: string): void {
    const steadyMs = this.#ports.steadyMs();
    const boarding = this.#flights.board(target, steadyMs);
    if (boarding.role !== 'leader') return;
    exchange.info.waitUntil(this.#fill(exchange, target, steadyMs, limits.requestBudgetMs, boarding.land));
  }

  async #fill(
    exchange: Exchange,
    target: string,
    sinceMs: number,
    budgetMs: number,
    land: (fill: Fill | null) => void,
  ): Promise<Fill> {
    let fill: Fill | null = null;
    try {
      fill = await this.#ask(exchange, target, sinceMs, budgetMs);
      if (fill.kind === 'refused') this.#pages.delete(target);
      return fill;
    } finally {
      land(fill);
    }
  }

  async #ask(exchange: Exchange, target: string, sinceMs: number, budgetMs: number): Promise<Fill> {
    const outcome = await this.#origin.send(ownCall(exchange, target, budgetMs, publicSubject));
    if (!outcome.ok) return { kind: 'away', ...outcome };
    const { status, headers } = outcome.response;
    const body = await this.#read(outcome.response);
    if (body === null) return { kind: 'away', code: 'unavailable' };
    if (status !== 200) return this.#refusal(body);
    const generation = parseGeneration(headers.get(generationHeader));
    const page: Page = { body, etag: await strongEtag(body), sinceMs, generation };
    if (headers.has('vary')) return { kind: 'page', page, isStored: false };
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

function boundsOf({ cacheS }: CacheRules): PageBounds {
  return {
    freshMs: cacheS * 1_000,
    freshAloneMs: Math.min(cacheS * 1_000, edgeLimits.cacheAloneMs),
    confirmedMs: edgeLimits.generationTrustMs,
    revalidateMs: edgeLimits.cacheRevalidateMs,
    errorMs: edgeLimits.cacheErrorMs,
  };
}

/** RFC 9211 §2.4: negative once it is stale. */
function ttl({ ttlMs }: Judgement): string {
  return `ttl=${ttlMs > 0 ? Math.ceil(ttlMs / 1_000) : Math.floor(ttlMs / 1_000)}`;
}
