/**
 * Merchants, their keys and their programs. Pure.
 */
import { hash } from 'node:crypto';
import { type MerchantId, merchants, operatorSubject, type ProgramId } from '@local-plus/contracts';
import type { ProgramRules } from './rules.ts';

/** What others have to know of a program. It never changes. */
export interface ProgramFacts {
  readonly programId: ProgramId;
  readonly merchantId: MerchantId;
  readonly unit: string;
  readonly rules: ProgramRules;
}

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
  tenant: null,
};

/** The plan of a merchant that has none. */
export const noPlan: merchants.MerchantPlan = { requests_per_minute: null, burst: null, requests_per_month: null };

/** The scopes that a key gets: those asked for, each once and in the table's order, or all that a merchant can have. */
export function grantedScopes(asked: readonly merchants.Scope[] | undefined): readonly merchants.Scope[] {
  return asked === undefined ? merchants.merchantScopes : merchants.merchantScopes.filter((one) => asked.includes(one));
}
