/**
 * The signatures that are accepted, and the keys that may verify each.
 *
 * RFC 7518 §3.3 (RS256), §3.4 (ES256); RFC 8037 §3.1 (EdDSA, Ed25519 only); RFC 8725 §3.1 and §3.2: a list, and a key is
 * for one algorithm, whatever a token says. None of them takes a secret, so no public key can be used as one.
 */
import { fromBase64Url } from '@local-plus/contracts';

export const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];

type PublicKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface VerificationKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: PublicKey;
  /** What it was made of: tells whether the issuer still publishes the same. */
  readonly source: string;
}

interface Importing {
  readonly algorithm: Algorithm;
  /** The public members, and no other: a private key that is published by mistake stays a public one here. */
  readonly jwk: Readonly<Record<string, string>> & { readonly kty: string };
}

const importParameters = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
} as const;

const verifyParameters = {
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
} as const;

const RSA_BYTES_MIN = 256;
const RSA_BYTES_MAX = 512;
const EXPONENT_65537 = 'AQAB';
const KID_CHARS_MAX = 200;
/** Of ES256 and EdDSA; of RS256 any length will do for a trial. */
const SIGNATURE_BYTES = 64;

/** The key of one member of a JWK set (RFC 7517 §4); null when it is none of ours to use. */
export async function importJwk(jwk: Readonly<Record<string, unknown>>): Promise<VerificationKey | null> {
  const { kid, use, alg } = jwk;
  if (typeof kid !== 'string' || kid === '' || kid.length > KID_CHARS_MAX) return null;
  if (use !== undefined && use !== 'sig') return null;
  const importing = importingOf(jwk);
  if (importing === null || (alg !== undefined && alg !== importing.algorithm)) return null;
  const { algorithm, jwk: publicJwk } = importing;
  const source = JSON.stringify(publicJwk);
  try {
    const key = await crypto.subtle.importKey('jwk', { ...publicJwk }, importParameters[algorithm], false, ['verify']);
    const imported = { kid, algorithm, key, source };
    // Deno looks at a key only when it is used first.
    await verifies(imported, new Uint8Array(SIGNATURE_BYTES), new Uint8Array());
    return imported;
  } catch {
    // Platforms name it differently; nothing but the issuer's key material can be at fault here.
    return null;
  }
}

export async function verifies(
  { algorithm, key }: VerificationKey,
  signature: Uint8Array<ArrayBuffer>,
  input: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  return crypto.subtle.verify(verifyParameters[algorithm], key, signature, input);
}

function importingOf(jwk: Readonly<Record<string, unknown>>): Importing | null {
  const { kty, crv, n, e, x, y } = jwk;
  if (kty === 'RSA' && isRsaModulus(n) && e === EXPONENT_65537) {
    return { algorithm: 'RS256', jwk: { kty, n, e } };
  }
  if (kty === 'EC' && crv === 'P-256' && typeof x === 'string' && typeof y === 'string') {
    return { algorithm: 'ES256', jwk: { kty, crv, x, y } };
  }
  if (kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string') {
    return { algorithm: 'EdDSA', jwk: { kty, crv, x } };
  }
  return null;
}

/** RFC 7518 §3.3: 2048 bits or more; and no more than is worth verifying. */
function isRsaModulus(n: unknown): n is string {
  const bytes = typeof n === 'string' ? fromBase64Url(n) : null;
  return bytes !== null && bytes.length >= RSA_BYTES_MIN && bytes.length <= RSA_BYTES_MAX;
}
