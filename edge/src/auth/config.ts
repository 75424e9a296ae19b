/**
 * The part of the configuration that says whose tokens are believed. Both groups are optional, each all or nothing:
 *
 * - `JWT_ISSUER`, `JWT_AUDIENCE`: the exact `iss` and `aud` of customers' tokens; `JWT_JWKS_URL`: where the issuer's keys
 *   are, https except locally; `JWT_TENANT_CLAIM`: the claim with the merchant's id, `merchant_id` when absent.
 * - `ACCESS_TEAM_DOMAIN` (`team.cloudflareaccess.com`), `ACCESS_AUD`: Cloudflare Access before the operator's routes.
 */
import type { Expected } from './claims.ts';

export interface IssuerConfig extends Expected {
  readonly jwksUrl: string;
}

export interface IdentityConfig {
  /** null: no token is accepted, API keys only. */
  readonly tokens: (IssuerConfig & { readonly tenantClaim: string }) | null;
  /** null: the operator's token is enough. */
  readonly access: IssuerConfig | null;
}

export const noIdentity: IdentityConfig = { tokens: null, access: null };

type Bindings = Readonly<Record<string, unknown>>;

const NAME = /^[\x21-\x7e]{1,255}$/;
const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;
/** They mean something else (RFC 7519 §4.1, RFC 6749 §3.3). */
const takenClaims = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope'];

export function parseIdentity(bindings: Bindings, isLocal: boolean, faults: string[]): IdentityConfig {
  return { tokens: parseTokens(bindings, isLocal, faults), access: parseAccess(bindings, faults) };
}

function parseTokens(bindings: Bindings, isLocal: boolean, faults: string[]): IdentityConfig['tokens'] {
  const needed = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL'] as const;
  if (!isGiven(bindings, needed, ['JWT_TENANT_CLAIM'], faults)) return null;
  const [issuer, audience, jwksUrl] = needed.map((name) => textOf(bindings, name)) as [string, string, string];
  const tenantClaim = textOf(bindings, 'JWT_TENANT_CLAIM') || 'merchant_id';
  if (!NAME.test(issuer)) faults.push('JWT_ISSUER is not visible ASCII of 255 characters at most');
  if (!NAME.test(audience)) faults.push('JWT_AUDIENCE is not visible ASCII of 255 characters at most');
  if (!NAME.test(tenantClaim) || takenClaims.includes(tenantClaim)) {
    faults.push('JWT_TENANT_CLAIM is not the name of a claim of its own');
  }
  const url = URL.canParse(jwksUrl) ? new URL(jwksUrl) : null;
  if (url === null || !(url.protocol === 'https:' || (isLocal && url.protocol === 'http:'))) {
    faults.push('JWT_JWKS_URL is not an https URL');
  } else if (url.username !== '' || url.password !== '' || url.hash !== '') {
    faults.push('JWT_JWKS_URL must hold neither credentials nor a fragment');
  }
  return { issuer, audience, jwksUrl, tenantClaim };
}

function parseAccess(bindings: Bindings, faults: string[]): IdentityConfig['access'] {
  const needed = ['ACCESS_TEAM_DOMAIN', 'ACCESS_AUD'] as const;
  if (!isGiven(bindings, needed, [], faults)) return null;
  const [team, audience] = needed.map((name) => textOf(bindings, name)) as [string, string];
  if (!HOST.test(team)) faults.push('ACCESS_TEAM_DOMAIN is not a host name, such as team.cloudflareaccess.com');
  if (!NAME.test(audience)) faults.push('ACCESS_AUD is not visible ASCII of 255 characters at most');
  return { issuer: `https://${team}`, audience, jwksUrl: `https://${team}/cdn-cgi/access/certs` };
}

/** Whether all of a group is there; some of it only is a fault. */
function isGiven(
  bindings: Bindings,
  needed: readonly string[],
  optional: readonly string[],
  faults: string[],
): boolean {
  const isThere = (name: string): boolean => textOf(bindings, name) !== '';
  if (![...needed, ...optional].some(isThere)) return false;
  const missing = needed.filter((name) => !isThere(name));
  for (const name of missing) faults.push(`${name} is missing: ${needed.join(', ')} go together`);
  return missing.length === 0;
}

function textOf(bindings: Bindings, name: string): string {
  return String(bindings[name] ?? '');
}
