/**
 * Is a token, whose signature is good, meant for us, and now? Pure.
 *
 * RFC 7519 §4.1; RFC 8725 §3.8 and §3.9. `iss`, `aud` and `exp` are required. `exp` is taken at its word; `nbf` and
 * `iat` may lie ahead of our clock by `clockSkewMs`.
 */
import type { JsonValue } from '@local-plus/contracts';
import { edgeLimits } from '../limits.ts';
import type { Members } from './jws.ts';

export interface Expected {
  readonly issuer: string;
  readonly audience: string;
}

/** When the token expires; null when it is not for us, not yet valid, or no longer. */
export function checkClaims(payload: Members, expected: Expected, nowMs: number): number | null {
  const { iss, aud, exp, nbf, iat } = payload;
  if (iss !== expected.issuer || !isFor(aud, expected.audience)) return null;
  if (typeof exp !== 'number' || exp * 1_000 <= nowMs) return null;
  return hasBegun(nbf, nowMs) && hasBegun(iat, nowMs) ? exp * 1_000 : null;
}

function isFor(aud: JsonValue | undefined, audience: string): boolean {
  return Array.isArray(aud) ? aud.includes(audience) && aud.every((one) => typeof one === 'string') : aud === audience;
}

function hasBegun(time: JsonValue | undefined, nowMs: number): boolean {
  if (time === undefined) return true;
  return typeof time === 'number' && time * 1_000 <= nowMs + edgeLimits.clockSkewMs;
}
