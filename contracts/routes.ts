/**
 * Every route, once. The edge's router, core's router, and OpenAPI are made from this table; what is not in it does
 * not exist (404), and a path in it with another method answers 405 with `Allow`.
 */
import type { z } from 'zod';
import * as catalog from './catalog.ts';
import * as merchants from './merchants.ts';
import type { ProblemCode } from './problems.ts';
import * as wallets from './wallets.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `{name}` matches one segment. */
  readonly path: string;
  readonly summary: string;
  /** `null`: public, no API key needed. */
  readonly scope: merchants.Scope | null;
  /** POST only: the request needs an Idempotency-Key. */
  readonly idempotent: boolean;
  readonly body: z.ZodType | null;
  readonly query: z.ZodType | null;
  readonly status: 200 | 201;
  readonly answer: z.ZodType;
  /** What this route can refuse with, beyond what every route can. */
  readonly problems: readonly ProblemCode[];
  /** Seconds the edge may serve the answer from its cache; null: never. Public GETs only. */
  readonly cacheS: number | null;
}

const read = {
  method: 'GET',
  idempotent: false,
  body: null,
  query: null,
  status: 200,
  problems: ['not_found'],
  cacheS: null,
} as const;
const write = { method: 'POST', idempotent: true, query: null, status: 201, cacheS: null } as const;
const posting = {
  ...write,
  scope: 'transactions:write',
  body: wallets.post,
  answer: wallets.transaction,
  problems: ['not_found', 'insufficient_funds', 'balance_limit_exceeded'],
} as const;

export const routes = {
  'merchants.create': {
    ...write,
    path: '/v1/merchants',
    summary: 'Onboard a merchant',
    scope: 'admin',
    body: merchants.createMerchant,
    answer: merchants.merchant,
    problems: [],
  },
  'merchants.read': {
    ...read,
    path: '/v1/merchants/{merchant_id}',
    summary: 'Read a merchant',
    scope: 'merchants:read',
    answer: merchants.merchant,
  },
  'api_keys.create': {
    ...write,
    path: '/v1/merchants/{merchant_id}/api-keys',
    summary: 'Create an API key; its secret is shown once',
    scope: 'admin',
    body: merchants.createApiKey,
    answer: merchants.createdApiKey,
    problems: ['not_found'],
  },
  'api_keys.revoke': {
    ...write,
    path: '/v1/merchants/{merchant_id}/api-keys/{api_key_id}/revoke',
    summary: 'Revoke an API key; the edge refuses it within seconds',
    scope: 'admin',
    status: 200,
    body: null,
    answer: merchants.apiKey,
    problems: ['not_found'],
  },
  'programs.create': {
    ...write,
    path: '/v1/programs',
    summary: 'Create a loyalty program',
    scope: 'programs:write',
    body: merchants.createProgram,
    answer: merchants.program,
    problems: [],
  },
  'programs.read': {
    ...read,
    path: '/v1/programs/{program_id}',
    summary: 'Read a program',
    scope: 'programs:read',
    answer: merchants.program,
  },
  'wallets.create': {
    ...write,
    path: '/v1/wallets',
    summary: 'Create a wallet',
    scope: 'wallets:write',
    body: wallets.createWallet,
    answer: wallets.wallet,
    problems: ['not_found', 'external_id_taken'],
  },
  'wallets.read': {
    ...read,
    path: '/v1/wallets/{wallet_id}',
    summary: 'Read a wallet',
    scope: 'wallets:read',
    answer: wallets.wallet,
  },
  'wallets.earn': { ...posting, path: '/v1/wallets/{wallet_id}/earn', summary: 'Earn: put points into a wallet' },
  'wallets.burn': { ...posting, path: '/v1/wallets/{wallet_id}/burn', summary: 'Burn: take points out of a wallet' },
  'wallets.balance': {
    ...read,
    path: '/v1/wallets/{wallet_id}/balance',
    summary: 'The balance now, or at a past moment',
    scope: 'wallets:read',
    query: wallets.balanceQuery,
    answer: wallets.walletBalance,
  },
  'wallets.transactions': {
    ...read,
    path: '/v1/wallets/{wallet_id}/transactions',
    summary: "A wallet's transactions, newest first",
    scope: 'wallets:read',
    query: wallets.pageQuery,
    answer: wallets.transactionPage,
    problems: ['not_found', 'invalid_cursor'],
  },
  'transactions.read': {
    ...read,
    path: '/v1/transactions/{transaction_id}',
    summary: 'A transaction with its entries',
    scope: 'wallets:read',
    answer: wallets.transactionWithEntries,
  },
  'catalog.create': {
    ...write,
    path: '/v1/catalog',
    summary: 'Publish a catalog item',
    scope: 'admin',
    body: catalog.createCatalogItem,
    answer: catalog.catalogItem,
    problems: [],
  },
  'catalog.list': {
    ...read,
    path: '/v1/catalog',
    summary: 'The public catalog, newest first',
    scope: null,
    query: catalog.catalogQuery,
    answer: catalog.catalogPage,
    problems: ['invalid_cursor'],
    cacheS: 10,
  },
  'catalog.read': {
    ...read,
    path: '/v1/catalog/{item_id}',
    summary: 'One catalog item',
    scope: null,
    answer: catalog.catalogItem,
    cacheS: 10,
  },
} as const satisfies Record<string, Route>;

export type RouteId = keyof typeof routes;

/** Paths between edge and core only; signed like the others, with the subject `edge`. */
export const internalPaths = {
  /** `GET` + lower-case hex of the key's SHA-256 → 200 `keyGrant` | 404. */
  keys: '/internal/keys/',
} as const;
export const edgeSubject = 'edge';
export const publicSubject = 'public';

/** Whether a caller with `granted` may use a route that needs `needed`; the operator's `admin` passes everything. */
export function allows(granted: readonly merchants.Scope[], needed: merchants.Scope | null): boolean {
  return needed === null || granted.includes(needed) || granted.includes('admin');
}

export type RouteMatch =
  | {
      readonly found: true;
      readonly id: RouteId;
      readonly route: Route;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly found: false; readonly allow: readonly string[] };

interface Pattern {
  readonly id: RouteId;
  readonly route: Route;
  readonly segments: readonly string[];
}

const patternsByLength = new Map<number, Pattern[]>();
for (const [id, route] of Object.entries(routes) as [RouteId, Route][]) {
  const segments = route.path.split('/').slice(1);
  const group = patternsByLength.get(segments.length) ?? [];
  group.push({ id, route, segments });
  patternsByLength.set(segments.length, group);
}

/**
 * Finds the route of a method and a canonical path (no query). `found: false` with an empty `allow` is 404, else 405.
 * HEAD is answered by the route of GET.
 */
export function matchRoute(method: string, path: string): RouteMatch {
  const segments = path.split('/').slice(1);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const allow = new Set<string>();
  for (const pattern of patternsByLength.get(segments.length) ?? []) {
    const params = matchSegments(pattern.segments, segments);
    if (params === null) continue;
    if (pattern.route.method === wanted) return { found: true, id: pattern.id, route: pattern.route, params };
    allow.add(pattern.route.method);
    if (pattern.route.method === 'GET') allow.add('HEAD');
  }
  return { found: false, allow: [...allow].sort() };
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] as string;
    if (part.startsWith('{')) {
      if (segment === '') return null;
      params[part.slice(1, -1)] = segment;
    } else if (part !== segment) {
      return null;
    }
  }
  return params;
}
