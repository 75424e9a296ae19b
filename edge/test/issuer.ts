/**
 * An issuer of tokens with keys of its own, made for the test; and a stage whose edge believes it. Signs whatever it is
 * asked to, well-formed or not. Runs on Node and Deno.
 */
import type { revocations } from '@local-plus/contracts';
import type { Algorithm } from '../src/auth/algorithms.ts';
import type { IdentityConfig } from '../src/auth/config.ts';
import { base64Url } from '../src/encoding.ts';
import { createStage, jsonResponse, merchantId, type Stage, startMs } from './stage.ts';

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export const identity: NonNullable<IdentityConfig['tokens']> = {
  issuer: 'https://issuer.test/',
  audience: 'local-plus',
  jwksUrl: 'https://issuer.test/jwks',
  tenantClaim: 'merchant_id',
};

export interface SigningPair {
  readonly algorithm: Algorithm;
  readonly kid: string;
  readonly privateKey: Key;
  /** As a JWKS has it. */
  readonly jwk: Record<string, unknown>;
}

const generating = {
  RS256: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2_048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
} as const;
const signing = {
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
} as const;

export async function newPair(algorithm: Algorithm, kid: string): Promise<SigningPair> {
  const pair = await crypto.subtle.generateKey(generating[algorithm], true, ['sign', 'verify']);
  if (!('publicKey' in pair)) throw new Error('not a pair of keys');
  const exported = (await crypto.subtle.exportKey('jwk', pair.publicKey)) as Record<string, unknown>;
  const { kty, n, e, crv, x, y } = exported;
  return {
    algorithm,
    kid,
    privateKey: pair.privateKey,
    jwk: { kty, n, e, crv, x, y, kid, alg: algorithm, use: 'sig' },
  };
}

/** What a good token says, one minute long. */
export function goodClaims(nowMs = startMs): Record<string, unknown> {
  const nowS = Math.floor(nowMs / 1_000);
  return {
    iss: identity.issuer,
    aud: identity.audience,
    sub: 'customer-1',
    jti: 'token-1',
    exp: nowS + 60,
    iat: nowS,
    merchant_id: merchantId,
    scope: 'wallets:read transactions:write',
  };
}

export function encode(part: unknown): string {
  return base64Url(new TextEncoder().encode(typeof part === 'string' ? part : JSON.stringify(part)));
}

/** Signed by the pair, whatever the header says. `undefined` leaves a member out. */
export async function tokenOf(
  pair: SigningPair,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const head = { alg: pair.algorithm, typ: 'at+jwt', kid: pair.kid, ...header };
  return signed(pair, `${encode(head)}.${encode({ ...goodClaims(), ...claims })}`);
}

export async function signed(pair: SigningPair, input: string): Promise<string> {
  const bytes = new TextEncoder().encode(input);
  const signature = await crypto.subtle.sign(signing[pair.algorithm], pair.privateKey, bytes);
  return `${input}.${base64Url(new Uint8Array(signature))}`;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

export interface TokenStage {
  readonly stage: Stage;
  /** What reached the origin, the edge's own questions apart. */
  readonly asked: Stage['asked'];
  readonly keys: Stage['keys'];
  readonly tenants: Stage['tenants'];
  readonly tenantsAsked: Stage['tenantsAsked'];
  readonly members: Stage['members'];
  readonly membersAsked: Stage['membersAsked'];
  /** Core cannot be reached from now on, or again. */
  readonly keepAway: Stage['keepAway'];
  /** How the origin answers from now on. */
  readonly answer: Stage['answer'];
  /** What the issuer publishes. */
  jwks: Record<string, unknown>[];
  /** Every address that was asked outside of core. */
  readonly askedOutside: string[];
  /** How the issuer answers instead, while it is set. */
  respond: (() => Response | Promise<Response>) | null;
  /** What core has revoked; the place is the index. */
  readonly revoked: revocations.ListPage['data'];
  /** How often core was asked for it. */
  readings: number;
  /** While set, core does not answer about revocations. */
  isCoreAway: boolean;
  /** Rows of one page. */
  pageRows: number;
  revoke(kind: revocations.RevocationKind, value: string, change?: { merchant_id?: string; forMs?: number }): void;
}

export async function createTokenStage(
  published: readonly SigningPair[],
  config: Partial<IdentityConfig> = { tokens: identity },
): Promise<TokenStage> {
  const core = await createStage();
  const revoked: revocations.ListPage['data'] = [];
  const told: TokenStage = {
    stage: core,
    asked: core.asked,
    keys: core.keys,
    tenants: core.tenants,
    tenantsAsked: core.tenantsAsked,
    members: core.members,
    membersAsked: core.membersAsked,
    keepAway: core.keepAway,
    answer: core.answer,
    jwks: published.map(({ jwk }) => jwk),
    askedOutside: [],
    respond: null,
    revoked,
    readings: 0,
    isCoreAway: false,
    pageRows: 5_000,
    revoke(kind, value, { merchant_id, forMs = 3_600_000 } = {}) {
      revoked.push({ kind, value, merchant_id: merchant_id ?? null, expires_at_ms: stage.ports.nowMs() + forMs });
    },
  };
  const stage = await createStage({
    config: { ...core.ports.config, ...config },
    fetch: async (url, request) => {
      const { origin, pathname, searchParams } = new URL(url);
      if (origin !== 'https://core.test') {
        told.askedOutside.push(url);
        return told.respond === null ? jsonResponse(200, { keys: told.jwks }) : told.respond();
      }
      if (pathname !== '/internal/revocations') return core.ports.fetch(url, request);
      told.readings++;
      if (told.isCoreAway) throw new TypeError('connection refused');
      const after = Number(searchParams.get('after'));
      const data = revoked.slice(after, after + told.pageRows);
      return jsonResponse(200, { data, next: after + data.length, is_last: data.length < told.pageRows });
    },
  });
  return Object.assign(told, { stage });
}
