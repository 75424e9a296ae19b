/**
 * What a valid token means here: claims → who acts, for which merchant, and what is allowed. Pure.
 *
 * - `sub` becomes the subject of the signed context, and must have its form. The names that edge and core give themselves
 *   are nobody's: core tells the edge from others by them.
 * - The tenant is a claim whose name is configured. The issuer answers for it.
 * - `scope` (RFC 6749 §3.3) is cut down to what is not administrative: no token makes an operator, or an owner, by itself.
 *   With `member` in it, its bearer is a member of the merchant, and core says what of the scopes it has (members.ts).
 * - `jti`, where there is one, has the form that can be revoked.
 */
import { isUuid, limits, members, merchants, reservedSubjects, revocations, subjectForm } from '@local-plus/contracts';
import type { Grant } from '../exchange.ts';
import type { Plan } from '../limiting/plan.ts';
import type { Members } from './jws.ts';

const customerPlan: Plan = { burst: null, minute: limits.customerRequestsPerMinute, month: null };

export interface Customer {
  readonly grant: Grant;
  /** What the token asks to be as a member: its scopes, none meaning all of the role's; null: it is a customer's. */
  readonly asMember: readonly merchants.Scope[] | null;
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
  const asked = wordsOf(claims['scope']);
  if (asked === null) return null;
  const isMember = asked.includes(members.memberMark);
  const named = (scopes: readonly merchants.Scope[]) => scopes.filter((one) => asked.includes(one));
  const grant: Grant = {
    policy: 'customer',
    subject: sub,
    merchantId,
    scopes: isMember ? [] : named(merchants.merchantScopes),
    plan: customerPlan,
    planKey: `customer ${merchantId} ${sub}`,
  };
  return { grant, asMember: isMember ? named(merchants.keyScopes) : null, merchantId, tokenId: jti ?? null };
}

/** null: it has not the form of a scope. */
function wordsOf(scope: unknown): readonly string[] | null {
  if (scope === undefined) return [];
  return typeof scope === 'string' ? scope.split(' ') : null;
}
