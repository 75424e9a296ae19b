/**
 * Step ①e′: is this token one that the issuer signed for us, and valid now? Form, key, signature, claims, in this order;
 * why a token is none is told to nobody (RFC 6750 §3.1: `invalid_token`).
 *
 * RFC 7519 §7.2; RFC 8725 §3.1 (algorithms listed, and tied to the key: no `none`, no RS256 key as an HMAC secret).
 */
import type { Ports, RequestInfo } from '../ports.ts';
import { type VerificationKey, verifies } from './algorithms.ts';
import { checkClaims, type Expected } from './claims.ts';
import type { IssuerConfig } from './config.ts';
import { JwkSet } from './jwk-set.ts';
import { type Members, parseToken } from './jws.ts';

export type Verification =
  | { readonly kind: 'valid'; readonly claims: Members; readonly expiresAtMs: number; readonly key: VerificationKey }
  | { readonly kind: 'invalid' }
  /** The issuer's keys could not be had. */
  | { readonly kind: 'away' };

const invalid: Verification = { kind: 'invalid' };

export class JwtVerifier {
  readonly #expected: Expected;
  readonly #keys: JwkSet;
  readonly #nowMs: () => number;

  constructor(issuer: IssuerConfig, ports: Pick<Ports, 'fetch' | 'nowMs' | 'steadyMs' | 'report'>) {
    this.#expected = issuer;
    this.#keys = new JwkSet(issuer.jwksUrl, ports);
    this.#nowMs = ports.nowMs;
  }

  async verify(text: string, waitUntil: RequestInfo['waitUntil']): Promise<Verification> {
    const token = parseToken(text);
    if (token === null) return invalid;
    // The cheap checks first: what is not for us anyway is not worth the issuer's time, or ours.
    if (checkClaims(token.payload, this.#expected, this.#nowMs()) === null) return invalid;
    const finding = await this.#keys.find(token.kid, token.algorithm, waitUntil);
    if (finding.kind === 'away') return { kind: 'away' };
    if (finding.kind === 'unknown' || !(await verifies(finding.key, token.signature, token.input))) return invalid;
    const expiresAtMs = checkClaims(token.payload, this.#expected, this.#nowMs());
    return expiresAtMs === null ? invalid : { kind: 'valid', claims: token.payload, expiresAtMs, key: finding.key };
  }

  /** Whether what this key verified may still be believed: it is still published. `away`: nobody can tell any more. */
  async stillKnows(key: VerificationKey, waitUntil: RequestInfo['waitUntil']): Promise<boolean | 'away'> {
    const finding = await this.#keys.find(key.kid, key.algorithm, waitUntil);
    return finding.kind === 'away' ? 'away' : finding.kind === 'found' && finding.key === key;
  }
}
