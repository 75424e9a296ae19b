/**
 * The route table of contracts, prepared for the server: uWebSockets.js does the routing, so that no path is parsed
 * in JavaScript, and whatever depends on the route alone is computed once.
 */
import {
  allows,
  type BodyFormat,
  type BodyRules,
  bodyRules,
  coreSubject,
  type EdgeContext,
  edgeSubject,
  type Generations,
  internalPaths,
  members,
  merchants,
  type Route,
  type RouteId,
  revocations,
  routes,
  validateQuery,
} from '@local-plus/contracts';
import type { z } from 'zod';
import type { AnyAnswer, CoreRequest, Handlers } from './handler.ts';

/** What a route's handler gets, before its route gives it a type. */
export interface EndpointRequest extends Omit<CoreRequest, 'routeId' | 'body' | 'queryValues'> {
  readonly routeId: RouteId | null;
  readonly body: unknown;
  readonly queryValues: unknown;
}

export interface Endpoint {
  /** The route's id: the label in metrics and log. */
  readonly name: string;
  readonly routeId: RouteId | null;
  readonly method: 'GET' | 'POST';
  /** uWebSockets.js's form of the path. */
  readonly pattern: string;
  readonly paramCount: number;
  readonly idempotent: boolean;
  readonly body: z.ZodType | null;
  readonly format: BodyFormat;
  readonly rules: BodyRules;
  /** Of its own, beside everybody else's: how many at a time. */
  readonly inFlightMax?: number;
  readonly query: z.ZodType | null;
  /** What the query's schema makes of no query. */
  readonly emptyQuery: unknown;
  readonly allows: (context: EdgeContext) => boolean;
  readonly handle: (request: EndpointRequest) => AnyAnswer | Promise<AnyAnswer>;
}

/** Answers `GET /internal/keys/<sha256hex>`; null: there is no such key. */
export type FindKeyGrant = (digestHex: string) => Promise<unknown>;

/** Answers `GET /internal/revocations?after=<place>`. */
export type ListRevocations = (after: number) => Promise<revocations.ListPage>;

/** Answers `GET /internal/generations`. */
export type ReadGenerations = () => Promise<Generations>;

/**
 * Answers `GET /internal/tenants/<merchant id>`, `GET /internal/members?merchant_id=<id>&subject=<sub>` and
 * `GET /internal/origins?origin=<origin>`.
 */
export interface TenantAnswers {
  /** null: there is no such merchant. */
  find(merchantId: string): Promise<unknown>;
  /** null: the subject is no member. */
  findMember(merchantId: string, subject: string): Promise<unknown>;
  isAllowedOrigin(origin: string): Promise<boolean>;
}

/** Answers `POST /internal/peers`: what another process of core asks. It has a bound of its own, so that two full ones cannot block each other. */
export interface PeerAnswers {
  readonly message: z.ZodType;
  readonly bytesMax: number;
  readonly budgetMs: number;
  readonly inFlightMax: number;
  /** JSON text. */
  answer(message: unknown): Promise<string>;
}

/** Every route that has a handler, and the paths between edge and core. */
export function endpointsOf(
  handlers: Handlers,
  findKeyGrant: FindKeyGrant | null,
  listRevocations: ListRevocations | null,
  readGenerations: ReadGenerations | null,
  notFound: () => Error,
  tenants: TenantAnswers | null = null,
  peers: PeerAnswers | null = null,
): readonly Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const [id, route] of Object.entries(routes) as [RouteId, Route][]) {
    const handler = handlers[id];
    if (handler === undefined) continue;
    endpoints.push({
      ...shapeOf(route),
      name: id,
      routeId: id,
      allows: (context) => allows(context.scopes, route.scope),
      // The table ties each id to its handler; the loop over ids is where that knowledge ends.
      handle: handler as unknown as Endpoint['handle'],
    });
  }
  if (findKeyGrant !== null) endpoints.push(keysEndpoint(findKeyGrant, notFound));
  if (listRevocations !== null) endpoints.push(revocationsEndpoint(listRevocations));
  if (readGenerations !== null) endpoints.push(generationsEndpoint(readGenerations));
  if (tenants !== null) {
    endpoints.push(tenantsEndpoint(tenants, notFound), membersEndpoint(tenants, notFound));
    endpoints.push(originsEndpoint(tenants, notFound));
  }
  if (peers !== null) endpoints.push(peersEndpoint(peers));
  return endpoints;
}

function shapeOf(route: Route): Omit<Endpoint, 'name' | 'routeId' | 'allows' | 'handle'> {
  const { method, idempotent, body, query, format = 'json' } = route;
  const pattern = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
  const paramCount = pattern.split('/:').length - 1;
  const empty = query === null ? null : validateQuery(query, '');
  if (empty !== null && !empty.ok) throw new Error(`${route.path}: its query must be optional as a whole`);
  const emptyQuery = empty === null ? null : empty.value;
  return { method, pattern, paramCount, idempotent, body, format, rules: bodyRules[format], query, emptyQuery };
}

/** What the paths between edge and core have in common. */
const internalShape = {
  routeId: null,
  method: 'GET',
  idempotent: false,
  body: null,
  format: 'json',
  rules: bodyRules.json,
  query: null,
  emptyQuery: null,
  allows: (context) => context.subject === edgeSubject,
} as const satisfies Partial<Endpoint>;

function keysEndpoint(findKeyGrant: FindKeyGrant, notFound: () => Error): Endpoint {
  return {
    ...internalShape,
    name: 'internal.keys',
    pattern: `${internalPaths.keys}:digest`,
    paramCount: 1,
    async handle(request) {
      const digest = request.params[0] ?? '';
      const grant = /^[0-9a-f]{64}$/.test(digest) ? await findKeyGrant(digest) : null;
      if (grant === null) throw notFound();
      return { status: 200, body: JSON.stringify(grant) };
    },
  };
}

function tenantsEndpoint(tenants: TenantAnswers, notFound: () => Error): Endpoint {
  return {
    ...internalShape,
    name: 'internal.tenants',
    pattern: `${internalPaths.tenants}:merchant_id`,
    paramCount: 1,
    async handle(request) {
      const tenant = await tenants.find(request.params[0] ?? '');
      if (tenant === null) throw notFound();
      return { status: 200, body: JSON.stringify(tenant) };
    },
  };
}

function membersEndpoint(tenants: TenantAnswers, notFound: () => Error): Endpoint {
  const query = members.grantQuery;
  return {
    ...internalShape,
    name: 'internal.members',
    pattern: internalPaths.members,
    paramCount: 0,
    query,
    emptyQuery: null,
    async handle({ queryValues }) {
      const asked = query.safeParse(queryValues);
      const grant = asked.success ? await tenants.findMember(asked.data.merchant_id, asked.data.subject) : null;
      if (grant === null) throw notFound();
      return { status: 200, body: JSON.stringify(grant) };
    },
  };
}

function originsEndpoint(tenants: TenantAnswers, notFound: () => Error): Endpoint {
  const query = merchants.originQuery;
  return {
    ...internalShape,
    name: 'internal.origins',
    pattern: internalPaths.origins,
    paramCount: 0,
    query,
    emptyQuery: null,
    async handle({ queryValues }) {
      const asked = query.safeParse(queryValues);
      if (!asked.success || !(await tenants.isAllowedOrigin(asked.data.origin))) throw notFound();
      return { status: 200, body: '{}' };
    },
  };
}

function peersEndpoint(peers: PeerAnswers): Endpoint {
  const { message, bytesMax, budgetMs, inFlightMax } = peers;
  return {
    ...internalShape,
    name: 'internal.peers',
    pattern: internalPaths.peers,
    paramCount: 0,
    method: 'POST',
    body: message,
    rules: { ...bodyRules.json, bytesMax, budgetMs },
    inFlightMax,
    allows: (context) => context.subject === coreSubject,
    handle: async ({ body }) => ({ status: 200, body: await peers.answer(body) }),
  };
}

function revocationsEndpoint(listRevocations: ListRevocations): Endpoint {
  const query = revocations.listQuery;
  return {
    ...internalShape,
    name: 'internal.revocations',
    pattern: internalPaths.revocations,
    paramCount: 0,
    query,
    emptyQuery: query.parse({}),
    async handle({ queryValues }) {
      const { after } = queryValues as z.output<typeof query>;
      return { status: 200, body: JSON.stringify(await listRevocations(after)) };
    },
  };
}

function generationsEndpoint(readGenerations: ReadGenerations): Endpoint {
  return {
    ...internalShape,
    name: 'internal.generations',
    pattern: internalPaths.generations,
    paramCount: 0,
    handle: async () => ({ status: 200, body: JSON.stringify(await readGenerations()) }),
  };
}
