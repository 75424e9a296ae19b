/**
 * Step ②a: signs what the edge sends, by contracts/signature.ts: HMAC-SHA256 (RFC 2104) through Web Crypto.
 *
 * The key is imported once per isolate, at the first use (Workers allow no cryptography before a request). A nonce is
 * 96 random bits of the isolate and a counter: unique without randomness per request.
 */
import { type EdgeContext, formatContext, type SigningKey, signingHead } from '@local-plus/contracts';
import { base64Url, bytesOf } from './encoding.ts';

type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface Signable extends Omit<EdgeContext, 'keyId' | 'nonce' | 'timeMs'> {
  readonly method: string;
  readonly target: string;
  /** Empty when there is none. */
  readonly idempotencyKey: string;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** The values of the two headers, `lp-context` and `lp-signature`. */
export interface Signed {
  readonly context: string;
  readonly signature: string;
}

export class Signer {
  readonly #signingKey: SigningKey;
  #hmacKey: HmacKey | null = null;
  #noncePrefix = '';
  #nonceCount = 0;

  constructor(signingKey: SigningKey) {
    this.#signingKey = signingKey;
  }

  /** @param timeMs Unix time */
  async sign(signable: Signable, timeMs: number): Promise<Signed> {
    const { method, target, idempotencyKey, body, budgetMs, clientIp, merchantId, subject, scopes } = signable;
    const { keyId } = this.#signingKey;
    const nonce = this.#nonce();
    const context = formatContext({ keyId, timeMs, nonce, budgetMs, clientIp, merchantId, subject, scopes });
    const head = bytesOf(signingHead(context, method, target, idempotencyKey));
    this.#hmacKey ??= await this.#import();
    const signature = await crypto.subtle.sign('HMAC', this.#hmacKey, body === null ? head : joined(head, body));
    return { context, signature: base64Url(new Uint8Array(signature)) };
  }

  #import(): Promise<HmacKey> {
    const secret = new Uint8Array(this.#signingKey.secret);
    return crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  }

  #nonce(): string {
    if (this.#noncePrefix === '') this.#noncePrefix = base64Url(crypto.getRandomValues(new Uint8Array(12)));
    return this.#noncePrefix + (this.#nonceCount++).toString(36);
  }
}

function joined(head: Uint8Array<ArrayBuffer>, body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}
