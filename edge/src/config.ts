/**
 * The bindings of a deployment, parsed once per isolate, with every fault reported at once.
 *
 * - `ORIGIN_URL`: where core listens, an origin without a path (`https://core.example`); https except locally.
 * - `SIGNING_KEYS` (secret): `k2:<base64url>,k1:<base64url>`, 32 bytes or more each; the first signs.
 * - `ENVIRONMENT`: local, dev, staging or production.
 *
 * The optional rest stands in surface-config.ts (what the world sees) and auth/config.ts (whose tokens are believed).
 *
 * Faults never contain a value of a secret.
 */
import { parseSigningKeys, type SigningKey } from '@local-plus/contracts';
import { type IdentityConfig, parseIdentity } from './auth/config.ts';
import { parseSurface, type SurfaceConfig } from './surface-config.ts';

export const environments = ['local', 'dev', 'staging', 'production'] as const;
export type Environment = (typeof environments)[number];

export interface Config extends IdentityConfig {
  /** Scheme and authority, no slash at the end. */
  readonly originUrl: string;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  readonly environment: Environment;
  readonly surface: SurfaceConfig;
}

export type ConfigReading =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[] };

export function parseConfig(bindings: Readonly<Record<string, unknown>>): ConfigReading {
  const faults: string[] = [];
  const environment = parseEnvironment(bindings['ENVIRONMENT'], faults);
  const originUrl = parseOriginUrl(bindings['ORIGIN_URL'], environment, faults);
  const signingKeys = parseKeys(bindings['SIGNING_KEYS'], faults);
  const identity = parseIdentity(bindings, environment === 'local', faults);
  const surface = parseSurface(bindings, environment === 'local', faults);
  if (environment === null || originUrl === null || signingKeys === null || faults.length > 0) {
    return { ok: false, faults };
  }
  return { ok: true, config: { originUrl, signingKeys, environment, surface, ...identity } };
}

function parseEnvironment(value: unknown, faults: string[]): Environment | null {
  const known = environments.find((environment) => environment === value);
  if (known === undefined) faults.push(`ENVIRONMENT is not one of ${environments.join(', ')}`);
  return known ?? null;
}

function parseOriginUrl(value: unknown, environment: Environment | null, faults: string[]): string | null {
  if (typeof value !== 'string' || value === '') {
    faults.push('ORIGIN_URL is missing');
    return null;
  }
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    faults.push('ORIGIN_URL is not an http or https URL');
    return null;
  }
  const before = faults.length;
  if (url.protocol === 'http:' && environment !== 'local') faults.push('ORIGIN_URL must be https except locally');
  if (url.username !== '' || url.password !== '') faults.push('ORIGIN_URL must not hold credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') faults.push('ORIGIN_URL must have no path');
  return faults.length === before ? url.origin : null;
}

function parseKeys(value: unknown, faults: string[]): Config['signingKeys'] | null {
  if (typeof value !== 'string' || value === '') {
    faults.push('SIGNING_KEYS is missing');
    return null;
  }
  try {
    return parseSigningKeys(value);
  } catch (cause) {
    faults.push(`SIGNING_KEYS: ${cause instanceof Error ? cause.message : 'not readable'}`);
    return null;
  }
}
