/** What a route is, and what routes of one kind have in common. */
import type { z } from 'zod';
import type { BodyFormat } from '../bodies.ts';
import type { GenerationKind } from '../generations.ts';
import type * as merchants from '../merchants.ts';
import * as movements from '../movements.ts';
import type { ProblemCode } from '../problems.ts';
import * as wallets from '../wallets.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `{name}` matches one segment. */
  readonly path: string;
  readonly summary: string;
  /** What the summary cannot say. */
  readonly description?: string;
  /** `null`: public, neither API key nor token needed. */
  readonly scope: merchants.Scope | null;
  /** POST only: the request needs an Idempotency-Key. */
  readonly idempotent: boolean;
  /** What the bodies are: one JSON document each when absent, or lines of them. */
  readonly format?: BodyFormat;
  /** Of `ndjson`: of one line; so is the answer. */
  readonly body: z.ZodType | null;
  readonly query: z.ZodType | null;
  readonly status: 200 | 201;
  readonly answer: z.ZodType;
  /** What this route can refuse with, beyond what every route can. */
  readonly problems: readonly ProblemCode[];
  /** Seconds the edge may serve the answer from its cache; null: never. Public GETs only. */
  readonly cacheS: number | null;
  /** What a caller may be guessing here, beside ids: a failure counts more for it. */
  readonly guesses?: 'code';
  /** Of a cached answer: what it is out of date with. */
  readonly generation?: GenerationKind;
}

export const read = {
  method: 'GET',
  idempotent: false,
  body: null,
  query: null,
  status: 200,
  problems: ['not_found'],
  cacheS: null,
} as const;
export const write = { method: 'POST', idempotent: true, query: null, status: 201, cacheS: null } as const;
export const setting = { ...write, status: 200, problems: ['not_found'] } as const;
export const moving = { ...write, scope: 'transactions:write', answer: wallets.transaction } as const;
export const freezing = {
  ...write,
  scope: 'wallets:write',
  body: movements.freeze,
  answer: wallets.transaction,
} as const;
