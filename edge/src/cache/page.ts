/**
 * One stored answer, and what it is good for at a moment (RFC 9111 §4.2, RFC 5861). Pure.
 *
 * P1  A page says of which generation it is (contracts/generations.ts). When core is known to be at another, the page has
 *     *moved*: it is never served again but in place of an error.
 * P2  It is as young as its last confirmation: when it was fetched, or when core was last asked for its generation and
 *     named the page's (a validation, RFC 9111 §4.2.3).
 * P3  An error in its place is served at most `errorMs` past its time, whatever else.
 */
export interface Page {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Strong: the body's SHA-256. */
  readonly etag: string;
  /** When its request began: nothing of it is older than core was then. */
  readonly sinceMs: number;
  /** null: core did not say. */
  readonly generation: string | null;
}

/** What core last said of its generation, and when it was asked. */
export interface Said {
  readonly generation: string;
  readonly askedAtMs: number;
}

export interface PageBounds {
  /** From its fetch on. */
  readonly freshMs: number;
  /** Without a generation. */
  readonly freshAloneMs: number;
  /** A page with a generation is served without a question so long after its last confirmation. */
  readonly confirmedMs: number;
  /** Past its time: how long it is served while one request fetches it anew, and in place of an error. */
  readonly revalidateMs: number;
  readonly errorMs: number;
}

export type Use =
  /** Serve it. */
  | 'fresh'
  /** Ask for the generation first. */
  | 'unconfirmed'
  /** Serve it, and fetch behind. */
  | 'stale'
  /** Fetch it; serve it in place of an error. */
  | 'old'
  | 'moved'
  /** Fetch it; good for nothing. */
  | 'spent';

export interface Judgement {
  readonly use: Use;
  /** What is left of its time; negative past it. */
  readonly ttlMs: number;
  readonly ageMs: number;
}

export function judge(page: Page, said: Said | null, bounds: PageBounds, steadyMs: number): Judgement {
  const isNamed = page.generation !== null && page.generation === said?.generation;
  const confirmedMs = isNamed ? Math.max(page.sinceMs, said.askedAtMs) : page.sinceMs;
  const ttlMs = page.sinceMs + (page.generation === null ? bounds.freshAloneMs : bounds.freshMs) - steadyMs;
  const ageMs = Math.max(0, steadyMs - confirmedMs);
  const use = useOf(page, said, bounds, ttlMs, ageMs);
  return { use, ttlMs: use === 'moved' ? Math.min(ttlMs, 0) : ttlMs, ageMs };
}

function useOf(page: Page, said: Said | null, bounds: PageBounds, ttlMs: number, ageMs: number): Use {
  if (ttlMs <= -bounds.errorMs) return 'spent';
  // What was fetched after core was asked may be of a generation that core has not told us of yet.
  const isOther = page.generation !== null && said !== null && page.generation !== said.generation;
  if (isOther && page.sinceMs < said.askedAtMs) return 'moved';
  if (ttlMs <= -bounds.revalidateMs) return 'old';
  if (ttlMs <= 0) return 'stale';
  return page.generation !== null && ageMs >= bounds.confirmedMs ? 'unconfirmed' : 'fresh';
}
