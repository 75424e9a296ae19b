/**
 * What a valid token means here: claims → who acts, for which merchant, and what is allowed. Pure.
 *
 * - `sub` becomes the subject of the signed context, and must have its form. The names that edge and core give themselves
 *   are nobody's: core tells the edge from others by them.
 * - The tenant is a claim whose name is configured. The issuer answers for it.
 * - `scope` (RFC 6749 §3.3) is cut down to what a merchant's key can have: no token makes an operator.
 * - `jti`, where there is one, has the form that can be revoked.
 */
import { isUuid, limits, merchants, reservedSubjects, revocations, subjectForm } from '@local-plus/contracts';
import type { Grant } from '../exchange.ts';
import type { Plan } from '../limiting/plan.ts';
import type { Members } from './jws.ts';

const customerPlan: Plan = { burst: null, minute: limits.customerRequestsPerMinute, month: null };

export interface Customer {
  readonly grant: Grant;
  readonly merchantId: string;
  /** null: the token has none, and is revoked with its subject only. */
  readonly tokenId: string | null;
}

export function customerOf(claims: Members, tenantClaim: string): Customer | null {
  const { sub, jti } = claims;
  const merchantId = claims[tenantClaim];
  if (typeof sub !== 'string' || !subjectForm.test(sub) || reservedSubjects.has(sub)) return null;
  if (typeof merchantId !== 'string' || !isUuid(merchantId)) return null;
  if (jti !== undefined && (typeof jti !== 'string' || !revocations.tokenIdForm.test(jti))) return null;
  const scopes = scopesOf(claims['scope']);
  if (scopes === null) return null;
  const grant: Grant = {
    policy: 'customer',
    subject: sub,
    merchantId,
    scopes,
    plan: customerPlan,
    planKey: `customer ${merchantId} ${sub}`,
  };
  return { grant, merchantId, tokenId: jti ?? null };
}

function scopesOf(scope: unknown): readonly merchants.Scope[] | null {
  if (scope === undefined) return [];
  if (typeof scope !== 'string') return null;
  const asked = scope.split(' ');
  return merchants.merchantScopes.filter((one) => asked.includes(one));
}
