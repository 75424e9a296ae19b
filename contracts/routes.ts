/**
 * Every route, once. The edge's router, core's router, and OpenAPI are made from this table; what is not in it does
 * not exist (404), and a path in it with another method answers 405 with `Allow`.
 */
import type * as merchants from './merchants.ts';
import { administrationRoutes } from './routes/administration.ts';
import { catalogRoutes } from './routes/catalog.ts';
import { giftcardsRoutes } from './routes/giftcards.ts';
import { paymentsRoutes } from './routes/payments.ts';
import { peopleRoutes } from './routes/people.ts';
import { programsRoutes } from './routes/programs.ts';
import { rewardsRoutes } from './routes/rewards.ts';
import type { Route } from './routes/shape.ts';
import { walletsRoutes } from './routes/wallets.ts';

export type { Route } from './routes/shape.ts';

export const routes = {
  ...administrationRoutes,
  ...programsRoutes,
  ...peopleRoutes,
  ...rewardsRoutes,
  ...walletsRoutes,
  ...paymentsRoutes,
  ...giftcardsRoutes,
  ...catalogRoutes,
} as const satisfies Record<string, Route>;

export type RouteId = keyof typeof routes;

/** Paths between edge and core only; signed like the others, with the subject `edge`. */
export const internalPaths = {
  /** `GET` + lower-case hex of the key's SHA-256 → 200 `keyGrant` | 404. */
  keys: '/internal/keys/',
  /** `GET` + a merchant's id → 200 `merchants.tenant` | 404. */
  tenants: '/internal/tenants/',
  /** `GET` with the query `members.grantQuery` → 200 `members.memberGrant` | 404. */
  members: '/internal/members',
  /** `GET` with the query `origin` → 200 when some merchant allows that origin | 404. */
  origins: '/internal/origins',
  /** `GET` → 200 `generations`. */
  generations: '/internal/generations',
  /** `GET` with the query `after` → 200 `revocations.listPage`. */
  revocations: '/internal/revocations',
  /** `POST`: one process of core to another, signed with the subject `core`. */
  peers: '/internal/peers',
} as const;

/** Whether a caller with `granted` may use a route that needs `needed`; the operator's `admin` passes everything. */
export function allows(granted: readonly merchants.Scope[], needed: merchants.Scope | null): boolean {
  return needed === null || granted.includes(needed) || granted.includes('admin');
}
