/**
 * How the edge proves to the origin that a request came through it, unchanged.
 *
 * Two headers. `lp-context` says what the edge found out, in a fixed order; `lp-signature` is
 * base64url(HMAC-SHA256(key, signingHead ‖ body)). It covers version, key id, time, nonce, budget, client address,
 * tenant, subject, scopes, method, exact path and query, Idempotency-Key and the body's bytes, so none of them can be
 * changed, and the nonce lets the origin refuse a replay inside the window.
 *
 * Must not know: cryptography. The edge has Web Crypto, core has node:crypto; both sign the same bytes.
 */
import { fromBase64Url } from './base64url.ts';
import { isUuid } from './ids.ts';
import { scopes as knownScopes, type Scope } from './merchants.ts';

export const contextHeader = 'lp-context';
export const signatureHeader = 'lp-signature';
export const requestIdHeader = 'x-request-id';

export interface EdgeContext {
  /** Which of the live keys signed. */
  readonly keyId: string;
  readonly timeMs: number;
  /** Unique within the window; 16 to 32 characters of base64url. */
  readonly nonce: string;
  /** How long the caller still waits. */
  readonly budgetMs: number;
  /** As text; `-` when unknown. */
  readonly clientIp: string;
  /** null: the operator, or nobody yet. */
  readonly merchantId: string | null;
  /** Who acts: an API key's id, a customer's `sub`, `edge` for the edge itself, `public` for nobody. */
  readonly subject: string;
  readonly scopes: readonly Scope[];
}

/** All scopes that there are fit in. */
const CONTEXT_CHARS_MAX = 1_024;
const CONTEXT =
  /^v2;([a-z0-9]{1,16});([0-9]{13});([A-Za-z0-9_-]{16,32});([0-9]{1,6});([0-9a-fA-F:.]{2,45}|-);([0-9a-f-]{36}|-);([A-Za-z0-9-]{1,64});([a-z:,]*)$/;

export function formatContext(context: EdgeContext): string {
  const tenant = context.merchantId ?? '-';
  const { keyId, timeMs, nonce, budgetMs, clientIp, subject } = context;
  return `v2;${keyId};${timeMs};${nonce};${budgetMs};${clientIp};${tenant};${subject};${context.scopes.join(',')}`;
}

/** The context of a header's text, or null when it is not exactly in the form that {@link formatContext} writes. */
export function parseContext(text: string): EdgeContext | null {
  if (text.length > CONTEXT_CHARS_MAX) return null;
  const match = CONTEXT.exec(text);
  if (!match) return null;
  const [, keyId, timeMs, nonce, budgetMs, clientIp, merchantId, subject, scopes] = match as unknown as string[];
  if (merchantId !== '-' && !isUuid(merchantId as string)) return null;
  const granted = parseScopes(scopes as string);
  if (granted === null) return null;
  return {
    keyId: keyId as string,
    timeMs: Number(timeMs),
    nonce: nonce as string,
    budgetMs: Number(budgetMs),
    clientIp: clientIp as string,
    merchantId: merchantId === '-' ? null : (merchantId as string),
    subject: subject as string,
    scopes: granted,
  };
}

const scopesByText = new Map<string, readonly Scope[]>();
const SCOPE_TEXTS_MAX = 256;

function parseScopes(text: string): readonly Scope[] | null {
  const known = scopesByText.get(text);
  if (known) return known;
  const parts = text === '' ? [] : text.split(',');
  if (!parts.every((part): part is Scope => (knownScopes as readonly string[]).includes(part))) return null;
  if (scopesByText.size < SCOPE_TEXTS_MAX) scopesByText.set(text, parts);
  return parts;
}

/**
 * What is signed before the body's bytes. No part of it has a line feed, so its end, where the body begins, is the fourth.
 *
 * @param contextText the exact value of the `lp-context` header
 * @param target path and query exactly as sent
 * @param idempotencyKey the header's value, or the empty text
 */
export function signingHead(contextText: string, method: string, target: string, idempotencyKey: string): string {
  return `${contextText}\n${method}\n${target}\n${idempotencyKey}\n`;
}

export interface SigningKey {
  readonly keyId: string;
  /** At least 32 bytes. */
  readonly secret: Uint8Array;
}

/** Reads `k2:<base64url>,k1:<base64url>`: the first signs, all verify; no id twice. Throws with every fault at once. */
export function parseSigningKeys(text: string): readonly [SigningKey, ...SigningKey[]] {
  const faults: string[] = [];
  const ids = new Set<string>();
  const keys = text.split(',').map((part, index) => {
    const [keyId = '', encoded = '', ...more] = part.trim().split(':');
    const secret = fromBase64Url(encoded);
    if (more.length > 0) faults.push(`key ${index + 1}: has more than an id and a secret`);
    if (ids.has(keyId)) faults.push(`key ${index + 1}: its id stands twice`);
    ids.add(keyId);
    if (!/^[a-z0-9]{1,16}$/.test(keyId)) faults.push(`key ${index + 1}: its id is not 1 to 16 of a-z0-9`);
    if (secret === null || secret.length < 32) faults.push(`key ${index + 1}: not 32 bytes or more of base64url`);
    return { keyId, secret: secret ?? new Uint8Array() };
  });
  if (faults.length > 0) throw new Error(faults.join('; '));
  return keys as [SigningKey, ...SigningKey[]];
}
