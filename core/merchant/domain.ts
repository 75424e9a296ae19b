/**
 * Merchants and their keys. Pure.
 */
import { hash } from 'node:crypto';
import { type EdgeContext, members, merchants, operatorSubject } from '@local-plus/contracts';

export interface NewApiKey {
  /** Shown once, kept nowhere. */
  readonly secret: string;
  /** Enough to tell keys apart, too little to guess one. */
  readonly prefix: string;
  /** Lower-case hex of the secret's SHA-256. */
  readonly digest: string;
}

const KEY_START = 'lp_live_';
const PREFIX_CHARS = KEY_START.length + 4;
const OPERATOR_REQUESTS_PER_MINUTE = 600_000;

/** @param random 32 bytes nobody can guess */
export function newApiKey(random: Buffer): NewApiKey {
  const secret = `${KEY_START}${random.toString('base64url')}`;
  return { secret, prefix: secret.slice(0, PREFIX_CHARS), digest: hash('sha256', secret, 'hex') };
}

/** What the operator's token allows. */
export const operatorGrant: merchants.KeyGrant = {
  api_key_id: operatorSubject,
  merchant_id: null,
  scopes: ['admin'],
  requests_per_minute: OPERATOR_REQUESTS_PER_MINUTE,
  burst: null,
  requests_per_month: null,
  expires_at_ms: null,
  tenant: null,
};

/** The plan of a merchant that has none. */
export const noPlan: merchants.MerchantPlan = { requests_per_minute: null, burst: null, requests_per_month: null };

/**
 * The scopes that a key gets: those asked for, each once and in the table's order, or all that are not administrative.
 * null: they are more than who creates it may do. The operator, and who may make owners, may do everything.
 */
export function grantedScopes(
  asked: readonly merchants.Scope[] | undefined,
  creator: Pick<EdgeContext, 'scopes'>,
): readonly merchants.Scope[] | null {
  const mayAll = creator.scopes.includes('admin') || creator.scopes.includes('members:write');
  const own = merchants.keyScopes.filter((one) => mayAll || creator.scopes.includes(one));
  if (asked === undefined) {
    const usual = merchants.merchantScopes.filter((one) => own.includes(one));
    return usual.length === 0 ? null : usual;
  }
  return asked.every((one) => own.includes(one)) ? merchants.keyScopes.filter((one) => asked.includes(one)) : null;
}

/** What a member may do, by its role and its merchant's state. */
export function memberScopes(role: members.Role, status: merchants.MerchantStatus): readonly merchants.Scope[] {
  const left = members.scopesLeftIn[status];
  return left === null ? members.roleScopes[role] : members.roleScopes[role].filter((one) => left.includes(one));
}
